/** Finds and starts a Litecoin node on regtest, as a process of its own. */

import { mkdirSync } from 'node:fs'
import { type Bitcoin, type BitcoinOptions, coreArguments, openNode } from './bitcoin.js'
import { REGTEST } from './bitcoin-faucet.js'
import { findExecutable } from './find-executable.js'
import type { Say } from './say.js'
import { startProcess } from './start-process.js'

/** Address parameters of Litecoin's regtest. */
export const LITECOIN_REGTEST = { ...REGTEST, bech32: 'rltc', scriptHash: 0x3a }

/**
 * Finds the executable: `KEYTURN_LITECOIND_BIN`, PATH, our cache, and for root on Debian the distribution's
 * package.
 */
export async function findLitecoin(say: Say): Promise<string> {
  return findExecutable(
    {
      title: 'Litecoin node (litecoind)',
      variable: 'KEYTURN_LITECOIND_BIN',
      executable: 'litecoind',
      debianPackage: 'litecoind',
    },
    say,
  )
}

export interface LitecoinOptions extends BitcoinOptions {
  /**
   * Whether MWEB activates at height 432. The node then has a wallet, without which it could not peg in.
   * Default: false.
   */
  readonly mweb?: boolean
}

/** Keeps MWEB from activating. Its first block needs a peg-in, which a miner without a wallet cannot make. */
const NEVER_MWEB = '-vbparams=mweb:4102444800:4102531200'

/** Starts a node on 127.0.0.1 without peers and waits until it answers. */
export async function startLitecoin(
  options: LitecoinOptions,
  say: Say = () => {},
): Promise<Bitcoin<'litecoind'>> {
  const command = await findLitecoin(say)
  mkdirSync(options.dataDirectory, { recursive: true, mode: 0o700 })
  const running = await startProcess({
    name: 'litecoind',
    command,
    args: options.mweb
      ? coreArguments(options).filter((argument) => argument !== '-disablewallet')
      : [...coreArguments(options), NEVER_MWEB],
    logFile: options.logFile,
    stopSignal: 'SIGINT',
  })
  return openNode(running, 'litecoind', options)
}
