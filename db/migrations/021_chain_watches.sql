-- Which watcher of a network may write: each that begins takes the next number, and what an earlier one still has in hand is refused.
CREATE TABLE chain_watches (
  network text PRIMARY KEY,
  number  bigint NOT NULL
);
