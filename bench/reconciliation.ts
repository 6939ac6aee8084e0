/** Measures a million orders: their upload, the comparison with their payments, and the memory of both. */

import { Pool } from 'undici'
import { signRequest } from '../client/sign-request.js'
import { createApiKey } from '../db/access/create-api-key.js'
import { runCheck } from '../db/books/reconciliation/run-check.js'
import type { Sql } from '../db/connect.js'
import { loadNetworks } from '../networks/load-networks.js'
import { MASTER_KEY, startApiProcess } from './api.js'
import type { BenchContext } from './context.js'
import { peakMemory } from './exports.js'
import type { Measurement } from './measurement.js'
import { createBenchMerchant } from './merchant.js'

/** Orders of the large merchant. The small one has a tenth of them. */
const ORDERS = Number(process.env.BENCH_ORDERS ?? 1_000_000)
/** Smallest expected share of the rate, and of the peak memory, of a tenth of the orders. */
const EXPECTED = 0.7

interface Figures {
  /** Orders a second. */
  readonly upload: number
  readonly check: number
  /** Peak memory of the API in megabytes. */
  readonly memory: number
}

/** Uploads orders through an API process, and compares them in this one. The small merchant comes first. */
export async function benchReconciliation(context: BenchContext): Promise<Measurement[]> {
  const { sql, url } = await context.database()
  const { port, pid } = await startApiProcess(context, url)
  const pool = new Pool(`http://127.0.0.1:${port}`, { headersTimeout: 0, bodyTimeout: 0 })
  context.onEnd(() => pool.destroy())
  const measure = async (orders: number): Promise<Figures> => {
    const merchant = await createBenchMerchant(sql)
    await fill(sql, merchant.id, orders)
    const upload = await send(sql, pool, merchant.id, orders)
    const memory = await peakMemory(pid)
    await sql`VACUUM ANALYZE merchant_orders`
    return { upload, memory, check: await compare(sql, merchant.id, orders) }
  }
  await measure(1_000)
  const small = await measure(ORDERS / 10)
  const large = await measure(ORDERS)
  const line = (name: string, of: 'upload' | 'check'): Measurement => ({
    name: `${name} of ${ORDERS} orders`,
    unit: 'orders/s',
    ours: large[of],
    against: 'a tenth of them',
    reference: small[of],
    ratio: large[of] / small[of],
    expected: EXPECTED,
  })
  return [
    line('upload', 'upload'),
    line('comparison', 'check'),
    {
      name: `peak memory of the API, upload of ${ORDERS} orders`,
      unit: 'MB',
      ours: large.memory,
      against: 'a tenth of them',
      reference: small.memory,
      ratio: small.memory / large.memory,
      expected: EXPECTED,
    },
  ]
}

/** Stores a confirmed payment for each order, by SQL alone. */
async function fill(sql: Sql, merchantId: string, orders: number): Promise<void> {
  await sql.begin(async (tx) => {
    await tx`SET LOCAL session_replication_role = 'replica'`
    await tx`
      INSERT INTO payments (id, merchant_id, user_reference, network, coin, decimals, address_id, amount, order_id,
                            payment_uri, checkout_token, checkout_url, status, amount_detected, amount_confirmed,
                            created_at, expires_at, updated_at)
      SELECT ${`pay_${merchantId}_`} || lpad(number::text, 9, '0'), ${merchantId}, 'user-1', 'bitcoin', 'btc', 8,
             ${`addr_${merchantId}_`} || number, 50000000, 'order-' || number, '', ${merchantId} || number, '', 'confirmed',
             50000000, 50000000, now(), now(), now()
      FROM generate_series(1, ${orders}) AS number`
  })
  await sql`VACUUM ANALYZE payments`
}

/** Uploads the orders. @returns Orders a second. */
async function send(sql: Sql, pool: Pool, merchantId: string, orders: number): Promise<number> {
  const key = await createApiKey(sql, MASTER_KEY, {
    merchantId,
    name: 'bench',
    scopes: ['reconciliation'],
    ipAllowlist: ['127.0.0.1/32'],
    rateLimitPerMinute: 1_000_000,
  })
  const path = '/api/v1/reconciliation/orders'
  const lines = Array.from(
    { length: orders },
    (_, at) => `order-${at + 1},bitcoin,btc,0.5,confirmed,2024-11-01T10:00:00Z\n`,
  )
  const file = Buffer.from(`order_id,network,coin,amount,state,at\n${lines.join('')}`)
  const signed = signRequest({ apiKey: key.id, apiSecret: key.secret, method: 'POST', path, body: file })
  const began = performance.now()
  const { statusCode, body } = await pool.request({
    path,
    method: 'POST',
    headers: { ...signed, 'Content-Type': 'text/csv' },
    body: file,
  })
  const { data } = (await body.json()) as { data?: { accepted: number } }
  if (statusCode !== 201 || data?.accepted !== orders)
    throw new Error(`HTTP ${statusCode}, ${data?.accepted}`)
  return (orders * 1_000) / (performance.now() - began)
}

/** Compares the orders with their payments. @returns Orders a second. */
async function compare(sql: Sql, merchantId: string, orders: number): Promise<number> {
  const networks = await loadNetworks(undefined, {})
  const began = performance.now()
  const { findings, examined } = await runCheck(sql, networks, merchantId, 'orders', { networks: null })
  if (examined !== orders || findings.differenceCount > 0)
    throw new Error(`${examined} orders, ${findings.differenceCount} differences`)
  return (orders * 1_000) / (performance.now() - began)
}
