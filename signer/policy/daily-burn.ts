/** What a compromised platform could burn under a policy, without any approval. */

import { formatAmount, parseAmount } from '../../domain/money.js'
import type { PolicyFile } from './policy.js'

/** Whole coins of a network's own coin in any 24 hours. */
export interface DailyBurn {
  /** Fees of movements between the own wallets. */
  readonly movement_fees: string
  /** Fees of transactions that take a payout's place and have no recipient. */
  readonly cancel_fees: string
  /** Both. */
  readonly in_all: string
  /** What may be moved to own deposit addresses as gas: it is not lost, and its fees are counted above. */
  readonly gas_moved: string
}

/**
 * By network. Fees of payments are not in it: they are spent only on what people approved, up to the fee limit that they saw.
 *
 * @param file - A policy that was parsed.
 */
export function dailyBurn(file: PolicyFile): Record<string, DailyBurn> {
  return Object.fromEntries(
    Object.entries(file.networks).map(([name, { movements, cancel, assets }]) => {
      const [coin, native] = Object.entries(assets).find(([, each]) => each.contract === null) ?? ['', null]
      const decimals = native?.decimals ?? 0
      const [moving, cancelling, gas] = [
        parseAmount(movements?.daily_fee ?? '0', decimals),
        parseAmount(cancel?.daily_fees ?? '0', decimals),
        parseAmount(movements?.gas_funding.daily ?? '0', decimals),
      ]
      const text = (value: bigint) => `${formatAmount(value, decimals)} ${coin}`
      const burn: DailyBurn = {
        movement_fees: text(moving),
        cancel_fees: text(cancelling),
        in_all: text(moving + cancelling),
        gas_moved: text(gas),
      }
      return [name, burn]
    }),
  )
}
