/** A stranger's wallet on the Bitcoin chain of a stack whose node dies. */

import { setTimeout as sleep } from 'node:timers/promises'
import { Transaction } from '@scure/btc-signer'
import {
  createBitcoinFaucet,
  type FaucetPayment,
  faucetKey,
  privateKeyOf,
  REGTEST,
} from '../../local/parts/bitcoin-faucet.js'
import { jsonRpc } from '../../local/parts/json-rpc.js'

const LOOK_MS = 1_000
const RETRY_MS = 200

export interface BitcoinWallet {
  /** Pays all of them in one transaction; from then on its bytes are sent until they are in a block. @returns The txid. */
  pay(payments: readonly FaucetPayment[]): Promise<string>
  /** How often bytes had to be sent once more. */
  resent(): number
  stop(): Promise<void>
}

/**
 * A wallet over the coinbases of the local chain.
 *
 * @param rpc - With `user:password@`.
 * @param network - Default: Bitcoin's regtest.
 */
export function createBitcoinWallet(rpc: string, wif: string, network = REGTEST): BitcoinWallet {
  const sent: { readonly txid: string; readonly raw: string }[] = []
  const stopping = new AbortController()
  let resent = 0

  /** The node may be dead, may have it already, or may have forgotten it: its answer says nothing that we need. */
  const submit = (raw: string) => jsonRpc(rpc, 'sendrawtransaction', [raw]).catch(() => null)

  async function call(method: string, ...params: unknown[]): Promise<unknown> {
    if (method === 'sendrawtransaction') {
      const raw = String(params[0])
      const txid = Transaction.fromRaw(Buffer.from(raw, 'hex')).id
      sent.push({ txid, raw })
      await submit(raw)
      return txid
    }
    for (;;) {
      try {
        return await jsonRpc(rpc, method, params)
      } catch (error) {
        // A dead node does not answer; what it answers to a question about the chain is final.
        if (stopping.signal.aborted || isAnswer(error)) throw error
        await sleep(RETRY_MS)
      }
    }
  }

  async function look(): Promise<void> {
    for (const { txid, raw } of sent) {
      const known = await jsonRpc(rpc, 'getrawtransaction', [txid, 0]).catch((error: unknown) => {
        if (isAnswer(error)) return null
        throw error
      })
      if (known !== null) continue
      resent += 1
      await submit(raw)
    }
  }

  const looking = (async () => {
    while (!stopping.signal.aborted) {
      await look().catch(() => {})
      await sleep(LOOK_MS, undefined, { signal: stopping.signal }).catch(() => {})
    }
  })()
  const faucet = createBitcoinFaucet({ call }, faucetKey(privateKeyOf(wif), network))

  return {
    pay: (payments) => faucet.pay(payments),
    resent: () => resent,
    async stop() {
      stopping.abort()
      await looking
    },
  }
}

/** `jsonRpc` ends the message of a node's own error with its code. */
function isAnswer(error: unknown): boolean {
  return error instanceof Error && /\(-?\d+\)$/.test(error.message)
}
