/** Creates the Prometheus gauges of wallets and movements. */

import { Gauge, type Registry } from 'prom-client'
import type { TreasuryGauges } from '../../db/operations/read-treasury-gauges.js'
import type { Networks } from '../../domain/chain/network.js'
import { formatAmount } from '../../domain/money.js'

/** Creates the gauges. @returns A function that sets them. It removes them for `null`, while the database is down. */
export function createTreasuryGauges(
  registers: Registry[],
  networks: Networks,
): (gauges: TreasuryGauges | null) => void {
  const gauge = (name: string, help: string, labelNames: string[]): Gauge =>
    new Gauge({ name: `keyturn_${name}`, help, labelNames, registers })
  const low = gauge('wallets_low', 'Wallets below their low watermark', ['network', 'kind', 'coin'])
  const open = gauge('movements_open', 'Open movements between own wallets', ['network', 'kind'])
  const held = gauge('wallet_balance', 'Balances of wallets in the books, in whole coins', [
    'network',
    'kind',
    'coin',
  ])
  return (gauges) => {
    for (const each of [low, open, held]) each.reset()
    for (const { network, kind, coin, count } of gauges?.low ?? []) low.set({ network, kind, coin }, count)
    for (const { network, kind, count } of gauges?.open ?? []) open.set({ network, kind }, count)
    for (const { network, kind, coin, balance } of gauges?.held ?? []) {
      const decimals = networks.get(network)?.coins.find((each) => each.name === coin)?.decimals
      if (decimals !== undefined) held.set({ network, kind, coin }, Number(formatAmount(balance, decimals)))
    }
  }
}
