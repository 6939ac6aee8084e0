/** Which addresses were ever used. */

import { toBigInt } from '../quantity.js'
import type { Rpc } from '../rpc/create-rpc.js'
import { expectResult } from '../rpc/expect-result.js'
import type { RpcCall } from '../rpc/rpc-call.js'
import type { ScanRules } from '../scan/scan-rules.js'
import { balanceOfCall, readTokenBalance } from './token-balance.js'

// Providers cap a batch at about 100 calls.
const MOST_CALLS = 100

/**
 * An address counts as used when it sent something (nonce) or holds the native coin or a configured token. A holder that was
 * emptied has sent, so nothing that we ever credited escapes this.
 */
export async function findUsed(rpc: Rpc, rules: ScanRules, addresses: readonly string[]): Promise<boolean[]> {
  const contracts = [...rules.tokens.keys()]
  const perAddress = 2 + contracts.length
  const step = Math.max(1, Math.floor(MOST_CALLS / perAddress))
  const used: boolean[] = []
  for (let start = 0; start < addresses.length; start += step) {
    const asked = addresses.slice(start, start + step)
    const calls = asked.flatMap((address): RpcCall[] => [
      { method: 'eth_getTransactionCount', params: [address, 'latest'] },
      { method: 'eth_getBalance', params: [address, 'latest'] },
      ...contracts.map((contract) => balanceOfCall(contract, address)),
    ])
    used.push(
      ...(await rpc.ask(calls, ({ answers }) =>
        asked.map((_, index) => {
          const own = answers.slice(index * perAddress, (index + 1) * perAddress)
          return own.some((answer, position) =>
            position < 2
              ? toBigInt(expectResult(answer, 'eth_getBalance'), 'balance') > 0n
              : readTokenBalance(answer) > 0n,
          )
        }),
      )),
    )
  }
  return used
}
