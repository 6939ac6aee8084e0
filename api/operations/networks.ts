/** Route of the enabled networks, with the state of their scan. */

import { createRoute } from '@hono/zod-openapi'
import { type ChainCursorRow, listCursors, listWaits } from '../../db/networks/list-cursors.js'
import type { Network } from '../../domain/chain/network.js'
import { formatAmount } from '../../domain/money.js'
import { NetworkStatus } from '../../wire/network.js'
import type { ApiApp, ApiDependencies } from '../context.js'
import { listAnswer, successPage } from '../http/answer.js'
import { wholeList } from '../http/paging.js'
import { secured } from '../http/secured.js'

const list = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/networks',
  summary: 'Enabled networks and coins, with confirmations, health and scan lag',
  tags: ['Networks'],
  responses: { 200: listAnswer(NetworkStatus, 'Every network') },
})

/** Registers `/networks`. */
export function registerNetworkRoutes(app: ApiApp, { sql, networks }: ApiDependencies): void {
  app.openapi(list, async (c) => {
    const waits = await listWaits(sql)
    const cursors = new Map((await listCursors(sql)).map((row) => [row.network, row]))
    const views = [...networks.values()].map((each) =>
      view(each, cursors.get(each.name), waits.get(each.name)),
    )
    return c.json(successPage(wholeList(views)), 200)
  })
}

function view(each: Network, cursor: ChainCursorRow | undefined, wait: string | undefined): NetworkStatus {
  return {
    network: each.name,
    family: each.family,
    chain_id: each.caip2,
    confirmations: each.confirmations,
    coins: each.coins.map((coin) => ({
      coin: coin.name,
      decimals: coin.decimals,
      contract: coin.contract,
      minimum: formatAmount(coin.minimum ?? 0n, coin.decimals),
      confirmations: each.confirmations,
      confirmation_tiers: (each.confirmationTiers[coin.name] ?? []).map((tier) => ({
        from: formatAmount(tier.min, coin.decimals),
        confirmations: tier.confirmations,
      })),
    })),
    health: cursor?.health ?? 'starting',
    health_note: cursor ? cursor.health_note : (wait ?? 'No block has been scanned yet'),
    head_height: cursor ? Number(cursor.head_height) : null,
    scanned_height: cursor ? Number(cursor.height) : null,
    lag_blocks: cursor ? Math.max(0, Number(cursor.head_height - cursor.height)) : null,
    updated_at: cursor?.updated_at.toISOString() ?? null,
  }
}
