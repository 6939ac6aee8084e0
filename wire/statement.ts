/** Statements: what a month did to each coin of a merchant. */

import { z } from 'zod'
import { PeriodName, ProofBlock } from './period.js'

export const StatementLine = z
  .object({
    network: z.string(),
    coin: z.string(),
    opening: z.string().meta({ description: 'Amount on the addresses at the begin. As the closing before.' }),
    in: z.string().meta({
      description: 'Deposits that were confirmed, and coins without a transaction that were credited.',
    }),
    out: z.string().meta({ description: 'Withdrawals that were paid, without fees. Positive.' }),
    fees: z.string().meta({ description: 'Fees that the network took. Positive.' }),
    transfers: z.string().meta({
      description: 'Balance of what moved between own addresses and between users: 0 where nothing was lost.',
    }),
    adjustments: z.string().meta({
      description:
        'Corrections: what a reorganisation took back, what belongs to an earlier period, and what a person booked.',
    }),
    closing: z.string().meta({
      description: 'Amount at the end: opening + in − out − fees + transfers + adjustments.',
    }),
  })
  .meta({ id: 'StatementLine', description: 'What a month did to one coin, in whole coins.' })
export type StatementLine = z.infer<typeof StatementLine>

export const Statement = z
  .object({
    period: PeriodName,
    merchant: z.object({ id: z.string(), name: z.string() }),
    from: z.iso.datetime().meta({ description: 'Begin of the window, included.' }),
    to: z.iso.datetime().meta({ description: 'End of the window, not included.' }),
    provisional: z.boolean().meta({
      description: 'Whether the period is not closed, so that lines and blocks may still change.',
    }),
    proof: z.array(ProofBlock).readonly().meta({
      description:
        'Block of each network at which the chain says what the closing says, with what lies outside the books.',
    }),
    outside_books: z
      .array(z.object({ network: z.string(), coin: z.string(), amount: z.string() }))
      .readonly()
      .meta({
        description:
          "What the addresses hold at the proof's block beside the closing: transfers below the network's minimum, and what came without a transaction and was not credited before the end. Coins without any are left out.",
      }),
    lines: z.array(StatementLine).readonly().meta({ description: 'A line for each enabled coin.' }),
  })
  .meta({ id: 'Statement', description: 'A statement of a month.' })
export type Statement = z.infer<typeof Statement>

/** The query of `GET /statements/{period}`. */
export const StatementQuery = z.strictObject({
  format: z.enum(['csv', 'pdf']).optional().meta({ description: 'Form of a file. Default: JSON.' }),
})
export type StatementQuery = z.input<typeof StatementQuery>
