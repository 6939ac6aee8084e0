/** Stores and reads versions of a merchant's lifecycle mapping. */

import { DEFAULT_MAPPING, type Gate, type LifecycleMapping } from '../../../domain/books/lifecycle.js'
import type { LifecycleMapping as LifecycleMappingView } from '../../../wire/lifecycle.js'
import { appendAudit } from '../../audit/append-audit.js'
import { json, type Queryable, type Transaction } from '../../connect.js'

/** A stored version. Version 0 is stored nowhere. */
export interface MappingVersion extends LifecycleMapping {
  readonly version: number
  readonly created_at: Date | null
}

interface Row {
  readonly version: number
  readonly gates: readonly Gate[]
  readonly orders: 'complete' | null
  readonly created_at: Date
}

const DEFAULT: MappingVersion = { ...DEFAULT_MAPPING, version: 0, created_at: null }

/** Returns a version, or the one that holds. `null` if there is no such version. */
export async function readMapping(
  sql: Queryable,
  merchantId: string,
  version?: number,
): Promise<MappingVersion | null> {
  if (version === 0) return DEFAULT
  const [row] = await sql<Row[]>`
    SELECT version, gates, orders, created_at FROM lifecycle_mappings
    WHERE merchant_id = ${merchantId} ${version === undefined ? sql`` : sql`AND version = ${version}`}
    ORDER BY version DESC LIMIT 1`
  return row ?? (version === undefined ? DEFAULT : null)
}

/** Stores the next version, which holds from now on. The same mapping again changes nothing. */
export async function storeMapping(
  tx: Transaction,
  by: { readonly merchantId: string; readonly createdBy: string; readonly actor: string },
  mapping: LifecycleMapping,
): Promise<MappingVersion> {
  const { merchantId } = by
  await tx`SELECT pg_advisory_xact_lock(hashtextextended(${`lifecycle mapping of ${merchantId}`}, 0))`
  const held = await readMapping(tx, merchantId)
  if (held && held.version > 0 && isSame(held, mapping)) return held
  const version = (held?.version ?? 0) + 1
  const [row] = await tx<Row[]>`
    INSERT INTO lifecycle_mappings (merchant_id, version, gates, orders, created_by)
    VALUES (${merchantId}, ${version}, ${json(tx, mapping.gates)}, ${mapping.orders}, ${by.createdBy})
    RETURNING version, gates, orders, created_at`
  if (!row) throw new Error('The lifecycle mapping was not stored')
  await appendAudit(tx, {
    merchantId,
    actor: by.actor,
    action: 'lifecycle_mapping.stored',
    subject: merchantId,
    data: { version, gates: mapping.gates, orders: mapping.orders },
  })
  return row
}

/** Makes the view of a version. */
export function mappingView({ version, gates, orders, created_at }: MappingVersion): LifecycleMappingView {
  return {
    version,
    gates: gates.map(({ gate, satisfied_by, stuck_after }) => ({ gate, satisfied_by, stuck_after })),
    orders,
    created_at: created_at?.toISOString() ?? null,
  }
}

function isSame(left: LifecycleMapping, right: LifecycleMapping): boolean {
  const text = ({ gates, orders }: LifecycleMapping) =>
    JSON.stringify([gates.map((each) => [each.gate, each.satisfied_by, each.stuck_after]), orders])
  return text(left) === text(right)
}
