/** A stranger's wallet on the Bitcoin chain of a stack whose node is killed. */

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
import { repeatUntilStopped } from './repeat-until-stopped.js'

const RETRY_MS = 200

export interface BitcoinWallet {
  /**
   * Pays all outputs in one transaction, and sends its bytes again until a block holds them. @returns The
   * txid.
   */
  pay(outputs: readonly FaucetPayment[]): Promise<string>
  /** Returns how often the wallet sent bytes again. */
  resent(): number
  stop(): Promise<void>
}

/**
 * Opens a wallet over the coinbases of the local chain.
 *
 * @param rpc - URL with `user:password@`.
 * @param network - Default: Bitcoin's regtest.
 */
export function createBitcoinWallet(rpc: string, wif: string, network = REGTEST): BitcoinWallet {
  const sent: { readonly txid: string; readonly raw: string }[] = []
  let resent = 0

  /**
   * Sends bytes. The node may be dead, may have them already, or may forget them, so its answer is not read.
   */
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
        // A dead node does not answer. A node's error about the chain is final.
        if (checking.stopping.aborted || isAnswer(error)) throw error
        await sleep(RETRY_MS)
      }
    }
  }

  async function check(): Promise<void> {
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

  const checking = repeatUntilStopped(check)
  const faucet = createBitcoinFaucet({ call }, faucetKey(privateKeyOf(wif), network))

  return {
    pay: (outputs) => faucet.pay(outputs),
    resent: () => resent,
    stop: () => checking.stop(),
  }
}

/**
 * Whether a node answered with an error of its own; `jsonRpc` ends the message of such an error with its
 * code.
 */
function isAnswer(error: unknown): boolean {
  return error instanceof Error && /\(-?\d+\)$/.test(error.message)
}
