/** Does what an operator and a customer do once before the first payout: merchants, people, keys. */

import { generateKeyPairSync } from 'node:crypto'
import { createApiKey } from '../../db/access/create-api-key.js'
import { connect } from '../../db/connect.js'
import { createApprover } from '../../db/merchants/create-approver.js'
import { createMerchant } from '../../db/merchants/create-merchant.js'
import { createPerson } from '../../db/merchants/create-person.js'
import { createOperatorKey } from '../../db/merchants/operator.js'
import type { Networks } from '../../domain/chain/network.js'
import type { Home } from './home.js'
import { type StackApprover, type StackState, saveState } from './state.js'

const ALL_SCOPES = [
  'read',
  'payments',
  'withdrawals',
  'approvals',
  'webhooks',
  'policy',
  'reconciliation',
  'admin',
]
const PERSON_SCOPES = ['read', 'withdrawals', 'approvals', 'policy', 'reconciliation']
const LOOPBACK = ['127.0.0.0/8', '::1/128']
const APPROVERS = ['Ada', 'Grace', 'Edsger']
/** Raw keys are the last 32 bytes of an Ed25519 SPKI (RFC 8410). */
const RAW_KEY_BYTES = 32

export interface Merchants {
  readonly merchant: NonNullable<StackState['merchant']>
  readonly otherMerchant: NonNullable<StackState['other_merchant']>
  readonly approvers: readonly StackApprover[]
  readonly operatorKey: NonNullable<StackState['operator_key']>
}

/**
 * Creates two merchants with every rail and a key each, and three approvers of the first. Keeps those that
 * exist.
 */
export async function bootstrap(
  home: Home,
  state: StackState,
  databaseUrl: string,
  networks: Networks,
): Promise<Merchants> {
  const sql = connect(databaseUrl, { max: 2, name: 'keyturn-bootstrap' })
  const rails = [...networks.values()].flatMap((network) =>
    network.coins.map((coin) => ({ network: network.name, coin: coin.name })),
  )

  async function merchantWithKey(name: string) {
    const { id } = await createMerchant(sql, { name, rails })
    const key = await createApiKey(sql, state.master_key, {
      merchantId: id,
      name: `${name}: backend`,
      scopes: ALL_SCOPES,
      ipAllowlist: LOOPBACK,
      rateLimitPerMinute: 600_000,
    })
    return { id, api_key: key.id, api_secret: key.secret }
  }

  async function approver(merchantId: string, name: string): Promise<StackApprover> {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519')
    const personId = await createPerson(sql, {
      merchantId,
      name,
      email: `${name.toLowerCase()}@keyturn.localhost`,
    })
    const id = await createApprover(sql, {
      merchantId,
      personId,
      // Approvers of the local stack may also review risky withdrawals.
      role: 'reviewer',
      ed25519PublicKey: publicKey.export({ type: 'spki', format: 'der' }).subarray(-RAW_KEY_BYTES),
    })
    const key = await createApiKey(sql, state.master_key, {
      merchantId,
      personId,
      name: `${name}: approvals`,
      scopes: PERSON_SCOPES,
      ipAllowlist: LOOPBACK,
    })
    return {
      id,
      person_id: personId,
      name,
      api_key: key.id,
      api_secret: key.secret,
      ed25519_private_key_pem: String(privateKey.export({ type: 'pkcs8', format: 'pem' })),
    }
  }

  try {
    if (!state.merchant) state.networks = [...networks.keys()]
    state.merchant ??= await merchantWithKey('Example Shop')
    state.other_merchant ??= await merchantWithKey('Another Shop')
    if (!state.operator_key) {
      const { id, secret } = await createOperatorKey(sql, state.master_key, {
        name: 'Operator',
        ipAllowlist: LOOPBACK,
      })
      state.operator_key = { api_key: id, api_secret: secret }
    }
    saveState(home, state)
    for (const name of APPROVERS.slice(state.approvers.length)) {
      state.approvers.push(await approver(state.merchant.id, name))
      saveState(home, state)
    }
    return {
      merchant: state.merchant,
      otherMerchant: state.other_merchant,
      approvers: state.approvers,
      operatorKey: state.operator_key,
    }
  } finally {
    await sql.end({ timeout: 1 })
  }
}
