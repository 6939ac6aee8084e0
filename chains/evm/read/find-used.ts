/** Finds which addresses were ever used. */

import { toBigInt } from '../quantity.js'
import type { Rpc } from '../rpc/create-rpc.js'
import { expectResult } from '../rpc/expect-result.js'
import type { RpcCall } from '../rpc/rpc-call.js'
import type { ScanRules } from '../scan/scan-rules.js'
import { balanceOfCall, readTokenBalance } from './token-balance.js'

// Calls of one batch: providers cap a batch at about 100.
const MOST_CALLS = 100

/**
 * Returns which addresses were used: those that sent something (nonce), or hold the native coin or a
 * configured token. An emptied holder has sent, so this finds every address that was ever credited.
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
