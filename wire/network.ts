/** Networks: what this installation serves, and how well it follows each chain. */

import { z } from 'zod'

export const NetworkStatus = z
  .object({
    network: z.string(),
    family: z.enum(['utxo', 'evm']),
    chain_id: z.string().meta({ description: 'CAIP-2.', example: 'eip155:1' }),
    confirmations: z.int(),
    coins: z
      .array(
        z.object({
          coin: z.string(),
          decimals: z.int(),
          contract: z.string().nullable(),
          minimum: z.string().meta({
            description: 'In whole coins. Smaller transfers are not credited.',
            example: '0.00001',
          }),
          confirmations: z.int(),
          confirmation_tiers: z.array(z.object({ from: z.string(), confirmations: z.int() })).readonly(),
        }),
      )
      .readonly(),
    health: z.enum(['ok', 'degraded', 'starting']),
    health_note: z.string().nullable(),
    head_height: z.int().nullable(),
    scanned_height: z.int().nullable(),
    lag_blocks: z.int().nullable(),
    updated_at: z.iso.datetime().nullable(),
  })
  .meta({ id: 'Network', description: 'A network with its coins, its health and its scan lag.' })
export type NetworkStatus = z.infer<typeof NetworkStatus>
