-- Plans of post_journals are made once for a connection. Before, PostgreSQL planned each call again for its few values,
-- which cost several times as much as the posting, and it read all accounts of a small ledger instead of the index.
ALTER FUNCTION post_journals SET plan_cache_mode = force_generic_plan;
ALTER FUNCTION post_journals SET enable_seqscan = off;
