-- The colour of a merchant's pages, `#` and six lower-case hex digits. Null: the pages have ours.
ALTER TABLE merchants ADD COLUMN colour text CHECK (colour ~ '^#[0-9a-f]{6}$');
