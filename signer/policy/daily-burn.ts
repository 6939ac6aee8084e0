/** Computes the amount that a compromised platform could burn under a policy without any approval. */

import { formatAmount, parseAmount } from '../../domain/money.js'
import type { PolicyFile } from './policy.js'

/** Amounts in any 24 hours, in whole coins of a network's own coin. */
export interface DailyBurn {
  /** Fees of movements between own wallets. */
  readonly movement_fees: string
  /** Fees of cancellations, which take a payout's place and have no recipient. */
  readonly cancel_fees: string
  /** Sum of the two. */
  readonly in_all: string
  /** Gas that may move to own deposit addresses. It is not lost, and its fees are counted above. */
  readonly gas_moved: string
}

/**
 * Returns the amounts by network. Fees of payouts that people approved are not included: they stay below the
 * fee limit that the approvers saw.
 *
 * @param file - A parsed policy.
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
