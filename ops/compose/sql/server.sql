-- What everybody may do by itself on a server that is Tollgate's alone: nothing. In the databases that PostgreSQL
-- makes for itself, whoever has any role's password could write, large objects and temporary tables among it.
REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC;
