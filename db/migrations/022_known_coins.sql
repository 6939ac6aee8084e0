-- Every coin that a configuration ever named: what is still under way in one that was removed must be shown and finished.
CREATE TABLE known_coins (
  network  text NOT NULL,
  name     text NOT NULL,
  decimals integer NOT NULL,
  -- Null for the network's own coin.
  contract text,
  dust     numeric(78,0) NOT NULL,
  PRIMARY KEY (network, name)
);
