/** The help of `npm start`, in plain JavaScript so that it can be shown before anything is installed. */

/** The text that `npm start -- --help` prints. */
export const HELP = `npm start [-- options]

  Starts PostgreSQL, Temporal with its web UI, local chains of Ethereum, Polygon, Bitcoin and Litecoin, the API, the workers, a
  customer's signer and a sample merchant; walks the main job once on those chains; stays up until Ctrl-C.

  --once      exit after the walk: 0 when every step succeeded, 1 otherwise
  --no-demo   start only, without the walk
  --fresh     throw away what an earlier run kept
  --help      this text

  KEYTURN_HOME        where everything is kept (default .keyturn); facts about the running stack are in stack.json there
  KEYTURN_PORT_BASE   every port from this one up (default: 4000, 4001, 4100, 5433, 7233, 7234, 8233, 8545, 8546, 18443,
                      19443)
  KEYTURN_LOCAL_NETWORKS  which chains besides Ethereum (default bitcoin,litecoin,polygon)
  KEYTURN_CACHE       where downloaded and built parts are kept (default ~/.cache/keyturn)
  Everything else: docs/configuration.md
`
