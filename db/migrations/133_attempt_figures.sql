-- The figures of an endpoint over 30 days read an index alone, and not the attempts with a kilobyte of the answer each. It
-- has the attempts that count: no tests, and a result of the endpoint (a status code, or the class of a failure).
CREATE INDEX webhook_attempts_figures ON webhook_attempts (endpoint_id, at) INCLUDE (status_code, duration_ms, failure_class)
  WHERE NOT test AND (failure_class IS NOT NULL OR status_code IS NOT NULL);
DROP INDEX webhook_attempts_endpoint;
-- Rows are only added. A vacuum after each hundredth lets the index answer for all but the newest.
ALTER TABLE webhook_attempts SET (autovacuum_vacuum_insert_scale_factor = 0.01);
