"""What the API and the pages, which never meet, both need of Litestar."""
