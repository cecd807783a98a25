-- What StatistaGPT's stack makes before the first migration: the extension, and what the application's role may do. The
-- tables are the changelog's (../../changelog/statistagpt), which the drill runs file by file after this one.
--
-- Run once by the master user through the simple query protocol: plain statements, no psql commands. The application's role
-- exists already.

CREATE EXTENSION IF NOT EXISTS vector;

-- By default privileges, so that whatever a migration creates is the application's to use, and no change set grants anything.
GRANT USAGE ON SCHEMA public TO sgpt_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO sgpt_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO sgpt_app;
