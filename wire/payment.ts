/** Payments: what a merchant asks a payer for, and what arrived for it. */

import { z } from 'zod'
import { DEPOSIT_STATUSES } from '../domain/deposits/deposit-status.js'
import { PERCENT_DECIMALS } from '../domain/payments/payment-allowance.js'
import { PAYMENT_FLAGS, PAYMENT_STATUSES } from '../domain/payments/payment-status.js'
import { pagingFields } from './paging.js'
import { Instant, windowFields } from './time.js'
import { Metadata } from './withdrawal.js'

export const PaymentStatus = z.enum(PAYMENT_STATUSES).meta({
  id: 'PaymentStatus',
  description:
    '`paid` is provisional: the amount was seen on the chain. `confirmed`: it was credited. `expired` and `cancelled` are final for this attempt.',
})
export type PaymentStatus = z.infer<typeof PaymentStatus>

export const PaymentFlag = z
  .enum(PAYMENT_FLAGS)
  .meta({ id: 'PaymentFlag', description: 'A fact about a payment, independent of its status.' })
export type PaymentFlag = z.infer<typeof PaymentFlag>

/** Text without control characters (C0, DEL, C1). */
const plain = z
  .string()
  .min(1)
  .max(255)
  .regex(/^\P{Cc}*$/u, 'holds a control character')
const decimal = z
  .string()
  .max(100)
  .regex(/^(0|[1-9]\d*)(\.\d+)?$/, 'is a decimal number such as "1.5"')

/** The price in the shop's own currency, as the merchant computed it. It is stored and given back as sent. */
export const Quote = z
  .strictObject({
    currency: z
      .string()
      .regex(/^[A-Za-z0-9]{2,10}$/, 'is a currency code such as "EUR"')
      .meta({ example: 'EUR' }),
    amount: decimal.meta({ example: '49.90' }),
    rate: decimal.meta({ example: '61250.10', description: 'Price of one whole coin in the currency.' }),
    source: plain.meta({ example: 'kraken' }),
    at: Instant,
  })
  .meta({ id: 'Quote', description: 'The price in the currency of the shop, as sent.' })
export type Quote = z.infer<typeof Quote>

/** By how much the amount may be missed. The greater allowance counts. A field that is absent is that of the policy. */
export const Tolerance = z
  .strictObject({
    percent: decimal
      // Two digits at most: a floating-point number would round 99.99… up.
      .refine((text) => /^\d{1,2}(\.|$)/.test(text), 'is at least 0 and below 100')
      .refine(
        (text) => (text.split('.')[1] ?? '').length <= PERCENT_DECIMALS,
        `has at most ${PERCENT_DECIMALS} decimal places`,
      )
      .optional()
      .meta({ example: '0.5' }),
    absolute: decimal.optional().meta({ example: '0.0001', description: 'In whole coins.' }),
  })
  .meta({
    id: 'Tolerance',
    description:
      'By how much the amount of a payment may be missed, as sent. A field that is absent is that of the policy.',
  })
export type Tolerance = z.infer<typeof Tolerance>

export const PaymentDeposit = z
  .object({
    id: z.string().meta({ example: 'dep_0193…' }),
    transaction_hash: z.string(),
    coin: z.string().meta({ description: 'Another coin than that of the payment sets `wrong_coin`.' }),
    amount: z.string(),
    status: z.enum(DEPOSIT_STATUSES),
  })
  .meta({ id: 'PaymentDeposit', description: 'A deposit that carries the id of the payment.' })
export type PaymentDeposit = z.infer<typeof PaymentDeposit>

export const PaymentHistoryEntry = z
  .object({
    status: PaymentStatus,
    flags: z.array(PaymentFlag).readonly(),
    at: z.iso.datetime(),
    cause: z.object({
      kind: z.enum(['deposit', 'timer', 'person', 'api', 'reorg']),
      id: z.string().nullable().meta({
        description: 'Id of the deposit, the person or the API key. `null` for a timer.',
      }),
    }),
  })
  .meta({ id: 'PaymentHistoryEntry', description: 'What a payment became, when and why.' })
export type PaymentHistoryEntry = z.infer<typeof PaymentHistoryEntry>

export const Payment = z
  .object({
    payment_id: z.string().meta({ example: 'pay_0193…' }),
    status: PaymentStatus,
    network: z.string(),
    coin: z.string(),
    amount: z.string().nullable().meta({
      example: '0.5',
      description: 'In whole coins. `null`: the payment is open and counts every amount.',
    }),
    amount_detected: z
      .string()
      .meta({ description: 'What was seen and is neither gone nor rejected, credited or not.' }),
    amount_confirmed: z.string().meta({ description: 'What was credited to the user.' }),
    amount_due: z
      .string()
      .nullable()
      .meta({ description: 'What is still to be paid. `null` for an open payment.' }),
    flags: z.array(PaymentFlag).readonly(),
    address: z.string(),
    derivation_path: z
      .string()
      .meta({ description: 'Of the address, so that a client can derive it from the XPUB and compare.' }),
    payment_uri: z.string().meta({ description: 'BIP-21 or EIP-681, of the whole amount.' }),
    checkout_url: z.string().meta({ description: 'The page that a payer sees. It needs no key.' }),
    success_url: z.string().nullable(),
    failure_url: z.string().nullable(),
    order_id: z.string().nullable(),
    user_reference: z.string(),
    quote: Quote.nullable(),
    tolerance: Tolerance.nullable(),
    attempt_of: z
      .string()
      .nullable()
      .meta({ description: 'The payment that this one was issued again for.' }),
    reissued_as: z.string().nullable().meta({ description: 'The attempt that took the place of this one.' }),
    expires_at: z.iso.datetime(),
    created_at: z.iso.datetime(),
    paid_at: z.iso.datetime().nullable(),
    confirmed_at: z.iso.datetime().nullable(),
    deposits: z.array(PaymentDeposit).readonly().meta({
      description: 'The newest 100, oldest first. `GET /deposits?payment_id=` lists all.',
    }),
    history: z.array(PaymentHistoryEntry).readonly().meta({
      description: 'Oldest first. Of more than 100, the first and the newest 99; events have all.',
    }),
    metadata: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'Payment', description: 'What a payer was asked for, and what arrived.' })
export type Payment = z.infer<typeof Payment>

const expiresIn = z
  .int()
  .min(5)
  .max(604_800)
  .meta({ description: 'Seconds until the payment expires. Default: 3,600.' })

/** The body of `POST /payments`. */
export const NewPayment = z
  .strictObject({
    user_reference: z.string().min(1).max(255),
    network: z.string().min(1).max(31),
    coin: z.string().min(1).max(31),
    amount: z.string().optional().meta({ example: '0.5', description: 'In whole coins. Absent: open.' }),
    order_id: plain.optional(),
    expires_in_seconds: expiresIn.default(3_600),
    success_url: z.string().min(1).max(2_048).optional().meta({
      description: 'Absolute https URL to which the checkout page links once the payment is paid.',
    }),
    failure_url: z.string().min(1).max(2_048).optional().meta({
      description: 'Absolute https URL to which it links once the payment has expired or was cancelled.',
    }),
    quote: Quote.optional(),
    tolerance: Tolerance.optional(),
    metadata: Metadata.default({}),
  })
  .meta({ description: 'Requests a payment.' })
export type NewPayment = z.input<typeof NewPayment>

/** The body of `POST /payments/{payment_id}/reissue`. */
export const Reissue = z
  .strictObject({ expires_in_seconds: expiresIn.optional() })
  .meta({ description: 'Requests another attempt. Default: the same time as the first one.' })
export type Reissue = z.input<typeof Reissue>

/** The query of `GET /payments`. */
export const PaymentFilter = z.strictObject({
  ...pagingFields,
  status: PaymentStatus.optional(),
  order_id: z.string().optional(),
  user_reference: z.string().optional(),
  network: z.string().optional(),
  coin: z.string().optional(),
  address: z.string().optional(),
  flag: PaymentFlag.optional(),
  ...windowFields,
})
export type PaymentFilter = z.input<typeof PaymentFilter>
