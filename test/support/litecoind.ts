/** Starts a Litecoin node on regtest that belongs to one test file. */

import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createBitcoinFaucet, faucetKey } from '../../local/parts/bitcoin-faucet.js'
import { freePort } from '../../local/parts/free-port.js'
import { LITECOIN_REGTEST, startLitecoin } from '../../local/parts/litecoin.js'

/** Starts a node and matures `mature` coinbases of 50 LTC for the faucet. */
export async function testLitecoind(options: { readonly mature?: number; readonly mweb?: boolean } = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'keyturn-litecoind-'))
  const key = faucetKey(randomBytes(32), LITECOIN_REGTEST)
  const node = await startLitecoin(
    {
      port: await freePort(),
      dataDirectory: join(directory, 'data'),
      logFile: join(directory, 'litecoind.log'),
      password: randomBytes(16).toString('hex'),
      miningAddress: key.address,
      mweb: options.mweb ?? false,
    },
    console.log,
  )
  await node.mine(100 + (options.mature ?? 20))
  const faucet = createBitcoinFaucet(node, key)
  return {
    ...node,
    faucet,
    /** Pays `amount` base units from the faucet into the mempool, and mines nothing. @returns The txid. */
    fund: (address: string, amount: bigint) => faucet.pay([{ address, amount }]),
    async stop() {
      await node.stop()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

export type TestLitecoin = Awaited<ReturnType<typeof testLitecoind>>
