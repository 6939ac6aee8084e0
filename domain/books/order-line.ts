/** Reads a line of an upload of orders. */

import { type Coin, findCoin, findNetwork, type Networks } from '../chain/network.js'
import { KeyturnError } from '../errors.js'
import { parseAmount } from '../money.js'

/** Columns of an order. The last two may be missing or empty. */
export const ORDER_COLUMNS = [
  'order_id',
  'network',
  'coin',
  'amount',
  'state',
  'at',
  'payment_id',
  'user_reference',
] as const
export type OrderColumn = (typeof ORDER_COLUMNS)[number]
const REQUIRED: readonly OrderColumn[] = ['order_id', 'network', 'coin', 'amount', 'state', 'at']

/** An order as the merchant knows it. */
export interface OrderLine {
  readonly orderId: string
  /** Empty where the payment is found by the id of the order. */
  readonly paymentId: string
  readonly userReference: string | null
  readonly network: string
  readonly coin: string
  /** Base units. */
  readonly amount: bigint
  /** Name of a gate. */
  readonly state: string
  readonly at: Date
}

/** Control characters, and halves of surrogate pairs, which PostgreSQL does not store. */
const CONTROL = /[\p{Cc}\p{Surrogate}]/u
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)$/
const MOST_LENGTH = 255
/** Milliseconds that an order may lie ahead of our clock: another clock, or a time zone that was left out. */
const MOST_AHEAD_MS = 86_400_000

/**
 * Reads the fields of a line.
 *
 * @param fields - Texts by column. An empty text is none.
 * @param gates - Names of the gates of the merchant's mapping.
 * @param now - Time of the upload. An order whose time lies far ahead would never be late.
 * @returns The order, or the reason why it is none.
 */
export function readOrderLine(
  fields: Readonly<Record<string, unknown>>,
  networks: Networks,
  gates: ReadonlySet<string>,
  now: Date,
): OrderLine | string {
  for (const [name, value] of Object.entries(fields)) {
    if (!(ORDER_COLUMNS as readonly string[]).includes(name))
      return `${name.slice(0, 100)} is no field of an order`
    if (value === null || value === undefined) continue
    if (typeof value !== 'string') return `${name} must be a text`
    if (value.length > MOST_LENGTH) return `${name} is longer than ${MOST_LENGTH} characters`
    if (CONTROL.test(value)) return `${name} holds a control character`
  }
  const text = (name: OrderColumn) => (fields[name] ?? '') as string
  const missing = REQUIRED.find((name) => text(name) === '')
  if (missing !== undefined) return `${missing} is missing`
  const coin = readCoin(networks, text('network'), text('coin'))
  if (typeof coin === 'string') return coin
  const amount = readAmount(text('amount'), coin.decimals)
  if (typeof amount === 'string') return amount
  if (!gates.has(text('state'))) return `state "${text('state')}" is no gate of the lifecycle mapping`
  const at = readInstant(text('at'), now)
  if (typeof at === 'string') return at
  return {
    orderId: text('order_id'),
    paymentId: text('payment_id'),
    userReference: text('user_reference') || null,
    network: text('network'),
    coin: coin.name,
    amount,
    state: text('state'),
    at,
  }
}

function readInstant(text: string, now: Date): Date | string {
  const at = new Date(text)
  if (!INSTANT.test(text) || Number.isNaN(at.getTime())) return 'at must be an instant in ISO 8601'
  // JavaScript reads 31 February as 3 March, and 24:00 as the next day.
  const local = text.slice(0, 'YYYY-MM-DDTHH:MM'.length)
  if (!new Date(`${local}Z`).toISOString().startsWith(local))
    return 'at is a day or an hour that does not exist'
  if (at.getTime() < 0) return 'at is before 1970'
  if (at.getTime() - now.getTime() > MOST_AHEAD_MS) return 'at is more than a day in the future'
  return at
}

function readCoin(networks: Networks, network: string, coin: string): Coin | string {
  try {
    return findCoin(findNetwork(networks, network), coin)
  } catch (error) {
    if (error instanceof KeyturnError) return error.message
    throw error
  }
}

function readAmount(text: string, decimals: number): bigint | string {
  try {
    return parseAmount(text, decimals)
  } catch (error) {
    if (error instanceof KeyturnError) return `amount: ${error.message}`
    throw error
  }
}
