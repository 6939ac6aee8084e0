/** Runs a query of the product under EXPLAIN ANALYZE, so that a test can count the rows that it reads. */

import type { Queryable } from '../../db/connect.js'

interface PlanNode {
  readonly 'Node Type': string
  readonly 'Index Name'?: string
  readonly 'Actual Rows': number
  readonly 'Actual Loops': number
  readonly 'Rows Removed by Filter'?: number
  readonly 'Rows Removed by Index Recheck'?: number
  readonly 'Heap Fetches'?: number
  readonly Plans?: readonly PlanNode[]
}

export interface ExplainedQuery {
  /** Rows that all scans have read, also those that a filter removed. */
  readonly rowsRead: number
  /** Most rows that one named query (`WITH`) gave to those that read it, and so that were kept for them. */
  readonly keptRows: number
  /** Names of the indexes used. */
  readonly indexes: readonly string[]
  /** Rows that scans of an index alone had to read from the table all the same, to know whether they are visible. */
  readonly heapFetches: number
  /** Whether a table was read as a whole. */
  readonly sequential: boolean
}

/**
 * Returns the plan of the one query that `run` makes. `run` gets a connection that answers with the plan instead of
 * rows. Fragments and identifiers are made as usual.
 */
export async function explainQuery(
  sql: Queryable,
  run: (sql: Queryable) => Promise<unknown>,
): Promise<ExplainedQuery> {
  const answers: { 'QUERY PLAN': readonly { readonly Plan: PlanNode }[] }[][] = []
  const explaining = (first: unknown, ...parameters: unknown[]) => {
    const call = sql as unknown as (first: unknown, ...parameters: unknown[]) => unknown
    const statement = Array.isArray(first) && 'raw' in first && /^\s*(SELECT|WITH)\b/.test(String(first[0]))
    if (!statement) return call(first, ...parameters)
    const [head, ...rest] = first as string[]
    const texts = [`EXPLAIN (ANALYZE, FORMAT JSON) ${head}`, ...rest]
    const pending = call(Object.assign(texts, { raw: texts }), ...parameters) as PromiseLike<
      (typeof answers)[0]
    >
    return pending.then((rows) => {
      answers.push(rows)
      return []
    })
  }
  await run(Object.assign(explaining, sql) as unknown as Queryable).catch((error: unknown) => {
    // A query that must find a row finds none here.
    if (answers.length === 0) throw error
  })
  const [answer] = answers
  if (!answer || answers.length > 1) throw new Error(`${answers.length} queries were made, not one`)
  const nodes = answer.flatMap((row) => row['QUERY PLAN'].flatMap(({ Plan }) => allNodes(Plan)))
  const scans = nodes.filter((node) => / Scan$/.test(node['Node Type']) && node['Node Type'] !== 'CTE Scan')
  return {
    rowsRead: scans.reduce((sum, node) => sum + rowsOf(node), 0),
    keptRows: Math.max(
      0,
      ...nodes.filter((node) => node['Node Type'] === 'CTE Scan').map((node) => node['Actual Rows']),
    ),
    indexes: nodes.flatMap((node) => node['Index Name'] ?? []),
    heapFetches: nodes.reduce((sum, node) => sum + (node['Heap Fetches'] ?? 0), 0),
    sequential: scans.some((node) => node['Node Type'] === 'Seq Scan'),
  }
}

function allNodes(node: PlanNode): PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(allNodes)]
}

function rowsOf(node: PlanNode): number {
  const each =
    node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0) + (node['Rows Removed by Index Recheck'] ?? 0)
  return each * node['Actual Loops']
}
