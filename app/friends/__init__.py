"""Friendships, friend requests, and the emails about them."""
