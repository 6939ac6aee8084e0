/** Says which position a TPM's value stands for: a file that counts only together with the TPM. */

import { createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { z } from 'zod'
import { isIsoTime } from '../../domain/iso-time.js'
import { writeFileAtomically } from '../home/write-file-atomically.js'
import { extended } from '../tpm/nv-index.js'
import type { JournalPosition } from './journal.js'

const KEY_BYTES = 32
const hex = z.string().regex(/^[0-9a-f]{64}$/)
const schema = z.strictObject({
  keyturn_witness: z.literal('tpm-1'),
  head: hex,
  sequence: z.int().min(0),
  /** Time of the entry. Absent before the first entry. */
  at: z.string().refine(isIsoTime).optional(),
  /** Random text, so that a TPM never gets the same value twice, also after its index was made again. */
  nonce: hex,
  /** Value of the TPM before this record was counted. */
  before: hex,
  /** Value of the TPM from then on. */
  after: hex,
  /** HMAC over the other fields. */
  mac: hex,
})

/** A position, and the TPM's values before and after it was counted. */
export type TpmRecord = z.infer<typeof schema>

/** Keys of a witness in a TPM. All of them come from the passphrase. */
export interface TpmKeys {
  /** Secret of the TPM's index. */
  readonly index: Buffer
  /** Key of the data by which the index is extended. */
  readonly data: Buffer
  /** Key of the record's MAC. */
  readonly record: Buffer
}

/** Derives the keys. @param key - Key of the home's seals, which only the passphrase opens. */
export function tpmKeys(key: Uint8Array): TpmKeys {
  const derive = (purpose: string) =>
    Buffer.from(hkdfSync('sha256', key, '', `keyturn-witness-tpm-${purpose}-v1`, KEY_BYTES))
  return { index: derive('index'), data: derive('data'), record: derive('record') }
}

/**
 * Makes the record of a position, and the data that extends the TPM's value to the record's `after`. The data
 * cannot be calculated from the record without the key.
 */
export function makeTpmRecord(
  keys: TpmKeys,
  position: JournalPosition,
  before: Buffer,
): { readonly record: TpmRecord; readonly data: Buffer } {
  const { head, sequence, at } = position
  const nonce = randomBytes(32).toString('hex')
  const data = macOf(keys.data, [nonce, head, sequence, at ?? ''])
  const fields = {
    keyturn_witness: 'tpm-1' as const,
    head,
    sequence,
    ...(at === undefined ? {} : { at }),
    nonce,
    before: before.toString('hex'),
    after: extended(before, data).toString('hex'),
  }
  return { record: { ...fields, mac: recordMac(keys, fields).toString('hex') }, data }
}

/**
 * Returns whether the signer made this record. Without that check a person who can write the file could put
 * any position before the TPM's present value.
 */
export function isGenuineTpmRecord(keys: TpmKeys, { mac, ...fields }: TpmRecord): boolean {
  return timingSafeEqual(Buffer.from(mac, 'hex'), recordMac(keys, fields))
}

/** Place of the record. */
export interface TpmRecordStore {
  /** Returns the record. `null` where there is none. */
  read(): TpmRecord | 'damaged' | null
  /** Returns when the record is stored, whole. */
  write(record: TpmRecord): void
}

/** Keeps the record in a file. */
export function openTpmRecordFile(path: string): TpmRecordStore {
  return {
    read() {
      if (!existsSync(path)) return null
      try {
        return schema.parse(JSON.parse(readFileSync(path, 'utf8')))
      } catch (error) {
        // A disk that cannot be read says nothing about the record.
        if (error instanceof Error && 'code' in error) throw error
        return 'damaged'
      }
    },
    write(record) {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
      writeFileAtomically(path, `${JSON.stringify(record, null, 2)}\n`)
    },
  }
}

function recordMac(keys: TpmKeys, fields: Omit<TpmRecord, 'mac'>): Buffer {
  const { head, sequence, at, nonce, before, after } = fields
  return macOf(keys.record, [nonce, head, sequence, at ?? '', before, after])
}

function macOf(key: Buffer, lines: readonly (string | number)[]): Buffer {
  return createHmac('sha256', key)
    .update(`keyturn-witness-tpm-v1\n${lines.join('\n')}`)
    .digest()
}
