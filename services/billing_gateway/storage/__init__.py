"""The gateway's SQL, a module for each table."""
