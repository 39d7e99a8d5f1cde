"""What people did, by UTC days: counted at night, and read with what has happened since."""
