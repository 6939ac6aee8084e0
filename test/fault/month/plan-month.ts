/** Plans a month of a shop: who orders what, and what goes wrong with which order. A seed repeats it. */

import { assertNever } from '../../../domain/assert-never.js'
import { parseAmount } from '../../../domain/money.js'
import type { Random } from '../random.js'

/** What a customer does with a payment. */
export type Course =
  | 'pays'
  /** Never pays. The order stays open. */
  | 'leaves'
  /** Pays a part first and the rest later, in time. */
  | 'pays in two parts'
  /** Pays a half at once, and the payment expires. */
  | 'pays too little'
  | 'pays too much'
  /** Pays all of it again. */
  | 'pays twice'
  /** Pays when the payment has expired. */
  | 'pays late'
  /** Pays when the shop has cancelled the payment. */
  | 'pays after the cancellation'
  /** Pays ether to the address of a payment of tokens. */
  | 'pays another coin'
  /** Pays from a sender whose deposits are held, and no reviewer decides before the shop reconciles. */
  | 'is held'
  /** Pays and is credited, and a reorganisation removes the transaction for good. */
  | 'is taken back'
  /** Pays in time, while no block is mined until long after the payment's end. */
  | 'is confirmed late'

/** What is wrong with the line of an order in the first upload. */
export type OrderFault = 'another amount' | 'no line' | 'a state too far'

export interface Customer {
  readonly user: string
  readonly orderId: string
  readonly network: 'bitcoin' | 'ethereum'
  readonly coin: 'btc' | 'usdt' | 'eth'
  readonly decimals: number
  /** Base units. */
  readonly amount: bigint
  readonly course: Course
  /** `null` where the shop uploads what is true. */
  readonly fault: OrderFault | null
}

const DECIMALS = { btc: 8, usdt: 6, eth: 18 } as const
const AMOUNTS = { btc: ['0.001', '0.01'], usdt: ['5', '90'], eth: ['0.01', '0.09'] } as const

/** Courses after which an order may be shipped. */
export const FULFILLED: readonly Course[] = ['pays', 'pays in two parts', 'pays too much', 'pays twice']

/** Customers with a course of their own. All others pay what they should. */
const SPECIAL: readonly (Pick<Customer, 'coin' | 'course'> & { readonly fault?: OrderFault })[] = [
  { coin: 'eth', course: 'is taken back' },
  { coin: 'eth', course: 'is held' },
  { coin: 'btc', course: 'is confirmed late' },
  { coin: 'btc', course: 'leaves' },
  { coin: 'usdt', course: 'leaves', fault: 'a state too far' },
  { coin: 'btc', course: 'pays in two parts' },
  { coin: 'usdt', course: 'pays in two parts' },
  { coin: 'btc', course: 'pays too little' },
  { coin: 'btc', course: 'pays too much' },
  { coin: 'usdt', course: 'pays too much' },
  { coin: 'btc', course: 'pays twice' },
  { coin: 'usdt', course: 'pays twice' },
  { coin: 'btc', course: 'pays late' },
  { coin: 'usdt', course: 'pays late', fault: 'a state too far' },
  { coin: 'btc', course: 'pays after the cancellation' },
  { coin: 'usdt', course: 'pays another coin' },
  { coin: 'btc', course: 'pays', fault: 'another amount' },
  { coin: 'usdt', course: 'pays', fault: 'another amount' },
  { coin: 'btc', course: 'pays', fault: 'no line' },
  { coin: 'usdt', course: 'pays', fault: 'no line' },
]

/** The smallest month that has every special customer and some who simply pay. */
export const FEWEST_CUSTOMERS = 2 * SPECIAL.length

/** Returns what a customer pays, one deposit after the other, in base units. */
export function depositsOf({ course, amount }: Customer): readonly bigint[] {
  switch (course) {
    case 'pays in two parts':
      return [amount / 2n, amount - amount / 2n]
    case 'pays too little':
      return [amount / 2n]
    case 'pays too much':
      return [amount + amount / 4n]
    case 'pays twice':
      return [amount, amount]
    case 'leaves':
    case 'pays another coin':
      return []
    case 'pays':
    case 'pays late':
    case 'pays after the cancellation':
    case 'is held':
    case 'is taken back':
    case 'is confirmed late':
      return [amount]
    default:
      return assertNever(course)
  }
}

/** Plans the customers, every second one with Bitcoin. */
export function planMonth(count: number, random: Random): Customer[] {
  const plain = Array.from({ length: Math.max(count, FEWEST_CUSTOMERS) - SPECIAL.length }, (_, index) => ({
    coin: index % 2 === 0 ? ('btc' as const) : ('usdt' as const),
    course: 'pays' as const,
  }))
  return [...SPECIAL, ...plain].map((each, index) => {
    const { coin } = each
    const decimals = DECIMALS[coin]
    const scale = 10n ** BigInt(Math.max(0, decimals - 6))
    const [least, most] = AMOUNTS[coin].map((text) => Number(parseAmount(text, decimals) / scale))
    return {
      user: `customer-${index}`,
      orderId: `order-${index}`,
      network: coin === 'btc' ? 'bitcoin' : 'ethereum',
      coin,
      decimals,
      amount: BigInt(random.between(least ?? 0, most ?? 0)) * scale,
      course: each.course,
      fault: 'fault' in each ? (each.fault ?? null) : null,
    }
  })
}
