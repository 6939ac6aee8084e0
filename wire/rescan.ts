/** Rescans: the operator has blocks scanned again that the watcher has passed. */

import { z } from 'zod'
import { Failure } from './failure.js'

/** Blocks that one request may name. */
export const MOST_RESCANNED_BLOCKS = 10_000

export const RESCAN_STATUSES = ['queued', 'running', 'completed', 'failed'] as const

export const Rescan = z
  .object({
    id: z.string().meta({ example: 'rsc_0193…' }),
    status: z.enum(RESCAN_STATUSES),
    network: z.string(),
    transaction_hash: z.string().nullable(),
    from_block: z.int().nullable(),
    to_block: z.int().nullable(),
    address: z.string().nullable(),
    blocks: z.int().nullable().meta({
      description: 'Blocks to scan. `null` until they are found, for a transaction or an address.',
    }),
    blocks_done: z.int(),
    progress: z.number().min(0).max(1),
    deposits: z.int().meta({ description: 'Deposits that were missing and are recorded now.' }),
    deposit_ids: z.array(z.string()).readonly().meta({ description: 'The first 100 of them.' }),
    failure: Failure.nullable(),
    created_at: z.iso.datetime(),
    finished_at: z.iso.datetime().nullable(),
  })
  .meta({ id: 'Rescan', description: 'A request to scan blocks again that the watcher has passed.' })
export type Rescan = z.infer<typeof Rescan>

const height = z.int().min(0)

/** The body of `POST /admin/rescan`. */
export const NewRescan = z
  .strictObject({
    network: z.string().min(1).max(31),
    transaction_hash: z
      .string()
      .regex(/^(?:0x)?[0-9a-fA-F]{64}$/, 'is 64 hex digits, after 0x on EVM networks')
      .optional(),
    from_block: height.optional(),
    to_block: height.optional().meta({ description: 'Included.' }),
    address: z.string().min(1).max(200).optional().meta({ description: 'An address that was issued.' }),
  })
  .refine(({ from_block, to_block }) => (from_block === undefined) === (to_block === undefined), {
    path: ['to_block'],
    message: 'stands together with `from_block`',
  })
  .refine(
    ({ transaction_hash, from_block, address }) =>
      [transaction_hash, from_block, address].filter((each) => each !== undefined).length === 1,
    { message: 'names a transaction, a range of blocks, or an address, and only one of them' },
  )
  .refine(({ from_block = 0, to_block = 0 }) => to_block >= from_block, {
    path: ['to_block'],
    message: 'is below `from_block`',
  })
  .refine(({ from_block = 0, to_block = 0 }) => to_block - from_block < MOST_RESCANNED_BLOCKS, {
    path: ['to_block'],
    message: `makes a range of more than ${MOST_RESCANNED_BLOCKS} blocks`,
  })
export type NewRescan = z.input<typeof NewRescan>
