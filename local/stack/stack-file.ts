/** `stack.json`: the facts that a client of the running stack needs. Its shape is public. */

import { z } from 'zod'

const url = z.url()
const credentials = z.object({ id: z.string(), api_key: z.string(), api_secret: z.string() })
const pid = z.int().positive()
const privateKey = z.string().regex(/^0x[0-9a-f]{64}$/)

/** Schema of `stack.json`. */
export const stackFileSchema = z.object({
  ready: z.boolean(),
  api: url,
  console: url,
  temporal: z.object({ address: z.string(), namespace: z.string(), ui: url }),
  postgres: z.string().startsWith('postgres://'),
  metrics: url,
  networks: z.object({
    ethereum: z.object({
      rpc: url,
      chain_id: z.int(),
      faucet_private_key: privateKey,
      tokens: z.object({ usdt: z.object({ address: z.string(), decimals: z.literal(6) }) }),
      /** Sender whose deposits the platform holds, for a reviewer to decide. */
      held_sender: z.object({ address: z.string(), private_key: privateKey }),
    }),
    bitcoin: z
      .object({
        rpc: url,
        flavour: z.enum(['btcd', 'bitcoind']),
        faucet_wif: z.string(),
        faucet_address: z.string().startsWith('bcrt1'),
      })
      .optional(),
    litecoin: z
      .object({
        rpc: url,
        flavour: z.literal('litecoind'),
        faucet_wif: z.string(),
        faucet_address: z.string().startsWith('rltc1'),
      })
      .optional(),
    polygon: z
      .object({
        rpc: url,
        chain_id: z.int(),
        faucet_private_key: privateKey,
        tokens: z.object({ usdc: z.object({ address: z.string(), decimals: z.literal(6) }) }),
      })
      .optional(),
  }),
  merchant: credentials,
  other_merchant: credentials,
  approvers: z
    .array(
      credentials.extend({ name: z.string(), person_id: z.string(), ed25519_private_key_pem: z.string() }),
    )
    .min(3),
  operator: z.object({
    email: z.string(),
    password: z.string(),
    api_key: z.string(),
    api_secret: z.string(),
  }),
  webhook: z.object({ endpoint_id: z.string(), secret: z.string().startsWith('whsec_'), received: url }),
  /** The sample merchant's shop, whose button leads to a checkout page. */
  shop: url,
  signer: z.object({ id: z.string(), home: z.string(), log: z.string() }),
  pids: z.object({
    supervisor: pid,
    api: pid.optional(),
    workers: z.array(pid),
    signer: pid.optional(),
    other_signer: pid.optional(),
    temporal: pid.optional(),
    postgres: pid.optional(),
    ethereum: pid.optional(),
    bitcoin: pid.optional(),
    litecoin: pid.optional(),
    polygon: pid.optional(),
    merchant: pid.optional(),
  }),
})

export type StackFile = z.infer<typeof stackFileSchema>
