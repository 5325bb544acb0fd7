"""What runs Tollgate on one machine; never shipped."""
