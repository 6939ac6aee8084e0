/** Queues requests to the signer without building them. */

import type { Stage } from './start-stage.js'

/** Recipients without an owner. */
const TO = {
  ethereum: '0x742d35Cc6634C0532925a3b844Bc454e4438f44e',
  bitcoin: 'bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080',
} as const

let made = 0

/**
 * Creates a withdrawal from the hot wallet, with a first attempt and its request.
 *
 * @param options.minutesAgo - Age of the withdrawal.
 * @param options.payload - Fields of the payload besides its family and, on Ethereum, the account that pays.
 * @returns The withdrawal's id.
 */
export async function queueRequest(
  stage: Stage,
  network: 'ethereum' | 'bitcoin',
  options: {
    readonly priority?: string
    readonly minutesAgo?: number
    readonly purpose?: string
    readonly approve?: boolean
    readonly payload?: Readonly<Record<string, unknown>>
  } = {},
): Promise<string> {
  const { sql } = stage.api.database
  const { priority = 'normal', minutesAgo = 0, purpose = 'pay', payload = {} } = options
  const evm = network === 'ethereum'
  const { status, json } = await stage.create({
    network,
    coin: evm ? 'eth' : 'btc',
    amount: '0.5',
    priority,
    to_address: TO[network],
  })
  if (status !== 201) throw new Error(JSON.stringify(json))
  const { id } = json.data
  if (options.approve) await stage.approve(id)
  const wallet = await stage.wallet(network, 'hot')
  made++
  await sql`
    UPDATE payouts SET stage = 'pending_signature', created_at = created_at - ${minutesAgo} * interval '1 minute'
    WHERE id = ${id}`
  await sql`
    INSERT INTO attempts (id, merchant_id, subject_type, payout_id, number, network, from_address_id, state, payload, coin,
                              amount, max_fee, priority, purpose)
    VALUES (${`tx_${made}`}, ${stage.api.merchantId}, 'withdrawal', ${id}, 1, ${network}, ${evm ? wallet.id : null}, 'built',
            ${sql.json({ family: evm ? 'evm' : 'utxo', from: wallet.address, ...payload } as never)}, ${evm ? 'eth' : 'btc'}, 1, 1,
            ${priority}, ${purpose})`
  await sql`
    INSERT INTO signing_requests (id, merchant_id, signer_id, transaction_id, payout_id)
    VALUES (${`srq_${made}`}, ${stage.api.merchantId}, ${stage.signer.signerId}, ${`tx_${made}`}, ${id})`
  return id
}
