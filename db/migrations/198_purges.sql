-- How far deletions of old rows came that take more than one sweep. Who deletes a page holds the lock of its row.
CREATE TABLE purges (
  name   text PRIMARY KEY,
  -- The next page is not deleted before.
  due_at timestamptz NOT NULL DEFAULT '-infinity',
  -- After which row the next page begins. Null: at the first one.
  place  jsonb
);
INSERT INTO purges (name) VALUES ('orders'), ('runs');
