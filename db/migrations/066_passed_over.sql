-- When a request that its signer took and left unanswered stopped keeping others waiting. It stays leased: an answer that comes late is
-- taken, and only the chain proves that what it may have signed is never mined.
ALTER TABLE signing_requests ADD COLUMN passed_at timestamptz;
