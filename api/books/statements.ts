/** Route of a month's statement, as JSON or as a file. */

import { createRoute, z } from '@hono/zod-openapi'
import { allowLong } from '../../db/books/periods/allow-long.js'
import { findPeriod } from '../../db/books/periods/find-window.js'
import type { StoredLine } from '../../db/books/periods/period-row.js'
import { readAdjustments } from '../../db/books/periods/read-adjustments.js'
import { type OutsideUnits, readOutside } from '../../db/books/periods/read-outside.js'
import { readProof } from '../../db/books/periods/read-proof.js'
import { readStatement, type StatementUnits } from '../../db/books/periods/read-statement.js'
import { inTransaction } from '../../db/connect.js'
import { findMerchantName } from '../../db/merchants/find-merchant-name.js'
import { findDecimals } from '../../db/networks/find-decimals.js'
import { monthOf } from '../../domain/books/period.js'
import { statementCsv } from '../../domain/books/statement-csv.js'
import { formatAmount } from '../../domain/money.js'
import { PeriodName } from '../../wire/period.js'
import { Statement, type StatementLine, StatementQuery } from '../../wire/statement.js'
import type { ApiApp, ApiDependencies } from '../context.js'
import { answer, success } from '../http/answer.js'
import { notFound } from '../http/not-found.js'
import { secured } from '../http/secured.js'
import { statementPdf } from './pdf/statement-pdf.js'

const get = createRoute({
  ...secured('read', 'reconciliation'),
  method: 'get',
  path: '/statements/{period}',
  summary: 'What a month did to each coin: opening, in, out, fees, transfers, adjustments, closing',
  description:
    'Provisional until the period is closed. 404 `NOT_FOUND` for a month that has not begun. With `format` it is a file.',
  tags: ['Reports'],
  request: { params: z.object({ period: PeriodName }), query: StatementQuery },
  responses: {
    200: {
      ...answer(Statement),
      content: {
        ...answer(Statement).content,
        'text/csv': { schema: z.string() },
        'application/pdf': { schema: z.string().meta({ format: 'binary' }) },
      },
    },
  },
})

/** Registers `/statements`. */
export function registerStatementRoutes(app: ApiApp, dependencies: ApiDependencies): void {
  app.openapi(get, async (c) => {
    const { period } = c.req.valid('param')
    const statement = await viewStatement(dependencies, c.get('merchantId'), period)
    const { format } = c.req.valid('query')
    if (format === undefined) return c.json(success(statement), 200)
    const body =
      format === 'csv'
        ? statementCsv(statement, await listAdjustments(dependencies, c.get('merchantId'), statement))
        : new Uint8Array(await statementPdf(statement))
    return c.body(body, 200, {
      'Content-Type': format === 'csv' ? 'text/csv; charset=utf-8' : 'application/pdf',
      'Content-Disposition': `attachment; filename="keyturn-statement-${period}.${format}"`,
      'Cache-Control': 'no-store',
    }) as never
  })
}

async function listAdjustments({ sql }: ApiDependencies, merchantId: string, { from, to }: Statement) {
  const window = { from: new Date(from), to: new Date(to) }
  return (await readAdjustments(sql, merchantId, window)).rows
}

async function viewStatement(
  { sql, networks }: ApiDependencies,
  merchantId: string,
  period: string,
): Promise<Statement> {
  const found = await findPeriod(sql, merchantId, period)
  const window = found?.window ?? monthOf(period)
  const now = new Date()
  if (window.from > now) throw notFound('statement', period)
  const closed = found?.row?.statement
  const name = await findMerchantName(sql, merchantId)
  const running = window.to > now
  const proof =
    found?.row?.proof ?? (await readProof(sql, networks, merchantId, running ? now : window.to, running))
  const { units, outside } = closed
    ? {
        units: closed.map(fromStored),
        outside: found.row.outside_books.map((each) => ({ ...each, amount: BigInt(each.amount) })),
      }
    : await inTransaction(sql, async (tx) => {
        await allowLong(tx, merchantId)
        return {
          units: await readStatement(tx, merchantId, window),
          outside: await readOutside(tx, merchantId, proof, window.to),
        }
      })
  const decimalsOf = await findDecimals(sql, networks)
  return {
    period,
    merchant: { id: merchantId, name },
    from: window.from.toISOString(),
    to: window.to.toISOString(),
    provisional: !closed,
    proof,
    outside_books: viewOutside(outside, decimalsOf),
    lines: viewLines(units, decimalsOf),
  }
}

function fromStored(line: StoredLine): StatementUnits {
  return {
    network: line.network,
    coin: line.coin,
    opening: BigInt(line.opening),
    in: BigInt(line.in),
    out: BigInt(line.out),
    fees: BigInt(line.fees),
    transfers: BigInt(line.transfers),
    adjustments: BigInt(line.adjustments),
    closing: BigInt(line.closing),
  }
}

/** Formats lines. It leaves out coins that no configuration ever had, because it lacks their decimals. */
function viewLines(
  units: readonly StatementUnits[],
  decimalsOf: (network: string, coin: string) => number | undefined,
): StatementLine[] {
  return units.flatMap((row): StatementLine[] => {
    const decimals = decimalsOf(row.network, row.coin)
    if (decimals === undefined) return []
    const whole = (amount: bigint): string => formatAmount(amount, decimals)
    return [
      {
        network: row.network,
        coin: row.coin,
        opening: whole(row.opening),
        in: whole(row.in),
        out: whole(row.out),
        fees: whole(row.fees),
        transfers: whole(row.transfers),
        adjustments: whole(row.adjustments),
        closing: whole(row.closing),
      },
    ]
  })
}

/** Formats what lies outside the books, with the same coins left out. */
function viewOutside(
  outside: readonly OutsideUnits[],
  decimalsOf: (network: string, coin: string) => number | undefined,
): Statement['outside_books'] {
  return outside.flatMap(({ network, coin, amount }) => {
    const decimals = decimalsOf(network, coin)
    return decimals === undefined ? [] : [{ network, coin, amount: formatAmount(amount, decimals) }]
  })
}
