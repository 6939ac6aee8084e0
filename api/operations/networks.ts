/** Route of the enabled networks, with the state of their scan. */

import { createRoute, z } from '@hono/zod-openapi'
import { type ChainCursorRow, listCursors, listWaits } from '../../db/networks/list-cursors.js'
import type { Network } from '../../domain/chain/network.js'
import { formatAmount } from '../../domain/money.js'
import type { ApiApp, ApiDependencies } from '../context.js'
import { listAnswer, successPage } from '../http/answer.js'
import { wholeList } from '../http/paging.js'
import { secured } from '../http/secured.js'

const network = z
  .object({
    network: z.string(),
    family: z.enum(['utxo', 'evm']),
    chain_id: z.string().openapi({ description: 'CAIP-2', example: 'eip155:1' }),
    confirmations: z.int(),
    coins: z.array(
      z.object({
        coin: z.string(),
        decimals: z.int(),
        contract: z.string().nullable(),
        minimum: z.string().openapi({
          description: 'In whole coins; what arrives in smaller transfers is not credited',
          example: '0.00001',
        }),
        confirmations: z.int(),
        confirmation_tiers: z.array(z.object({ from: z.string(), confirmations: z.int() })),
      }),
    ),
    health: z.enum(['ok', 'degraded', 'starting']),
    health_note: z.string().nullable(),
    head_height: z.int().nullable(),
    scanned_height: z.int().nullable(),
    lag_blocks: z.int().nullable(),
    updated_at: z.iso.datetime().nullable(),
  })
  .openapi('Network')

const list = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/networks',
  summary: 'Enabled networks and coins, with confirmations, health and scan lag',
  tags: ['Networks'],
  responses: { 200: listAnswer(network, 'Every network') },
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

function view(
  each: Network,
  cursor: ChainCursorRow | undefined,
  wait: string | undefined,
): z.infer<typeof network> {
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
