/** Keeps the secrets and ids of a stack in `state.json` (mode 600). */

import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import { type Home, readJson, writeJson } from './home.js'

const credentials = z.object({ id: z.string(), api_key: z.string(), api_secret: z.string() })

const approver = z.object({
  id: z.string(),
  person_id: z.string(),
  name: z.string(),
  api_key: z.string(),
  api_secret: z.string(),
  ed25519_private_key_pem: z.string(),
})

const schema = z.object({
  master_key: z.string(),
  postgres_password: z.string(),
  bitcoin_password: z.string(),
  bitcoin_faucet_key: z.string(),
  signer_passphrase: z.string(),
  operator: z.object({ email: z.string(), password: z.string() }),
  /** Private key of the sender whose deposits are held. A home from before there was one gets it now. */
  held_sender_key: z
    .string()
    .regex(/^0x[0-9a-f]{64}$/)
    .default(() => `0x${randomBytes(32).toString('hex')}`),
  usdt: z.string().optional(),
  usdc: z.string().optional(),
  /** Networks with which the merchants and signers of this home were made. */
  networks: z.array(z.string()).optional(),
  operator_key: z.object({ api_key: z.string(), api_secret: z.string() }).optional(),
  merchant: credentials.optional(),
  other_merchant: credentials.optional(),
  approvers: z.array(approver).default([]),
  webhook: z.object({ endpoint_id: z.string(), secret: z.string(), url: z.string() }).optional(),
  signer_id: z.string().optional(),
  other_signer_id: z.string().optional(),
  funded: z.array(z.string()).default([]),
})

export type StackState = z.infer<typeof schema>
export type StackApprover = z.infer<typeof approver>

/** Reads the state, or makes the secrets of a new stack. */
export function openState(home: Home): StackState {
  const known = readJson(home.stateFile)
  if (known !== null) {
    const state = schema.parse(known)
    saveState(home, state)
    return state
  }
  const secret = () => randomBytes(32).toString('hex')
  const state = schema.parse({
    master_key: secret(),
    postgres_password: secret(),
    bitcoin_password: secret(),
    bitcoin_faucet_key: secret(),
    signer_passphrase: secret(),
    operator: { email: 'operator@keyturn.localhost', password: randomBytes(18).toString('base64url') },
  })
  saveState(home, state)
  return state
}

/** Writes the state. */
export function saveState(home: Home, state: StackState): void {
  writeJson(home.stateFile, state)
}
