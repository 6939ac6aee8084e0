-- Sessions of the cashier are deleted when they are old.
CREATE INDEX cashier_sessions_created ON cashier_sessions (created_at);
