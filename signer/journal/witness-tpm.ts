/**
 * Keeps the witness in a TPM, which no restore of a disk takes back.
 *
 * The TPM holds one value that can only be extended: each new value is a hash of the one before and of the
 * position. A bare counter would not do. A record for the counter's next number is on the disk before the
 * counter moves, so a person who restores disks could have two of them made for one number, and choose later.
 */

import type { NvIndex } from '../tpm/nv-index.js'
import type { JournalPosition } from './journal.js'
import { isGenuineTpmRecord, makeTpmRecord, type TpmKeys, type TpmRecordStore } from './tpm-record.js'
import { guardWitness, isSamePosition, type Witness, WitnessMismatch } from './witness.js'

/** Value of an index that was never extended. */
const UNWRITTEN = Buffer.alloc(32)

/** Value of the TPM, and the position that it stands for. */
interface Counted {
  readonly value: Buffer
  readonly position: JournalPosition
  /** Whether the TPM has counted the position. Otherwise a crash came first, and nothing has left. */
  readonly isCounted: boolean
}

/**
 * Opens a witness in a TPM.
 *
 * @param keys - `null` for reading without a proof, by a command that has no passphrase.
 */
export function openTpmWitness(
  place: string,
  index: NvIndex,
  records: TpmRecordStore,
  keys: TpmKeys | null,
): Witness {
  let known: Counted | null = null

  /** Returns the position of the TPM's value. `null` where the TPM has counted nothing yet. */
  async function find(): Promise<Counted | null> {
    const [found, record] = [await index.read(), records.read()]
    switch (found.how) {
      case 'missing':
        if (record === null) return null
        throw new WitnessMismatch(
          `${place}: the TPM has no such index; it was cleared, or is another TPM`,
          null,
        )
      case 'foreign':
        throw new WitnessMismatch(`${place}: the TPM's index is not of this signer`, null)
      case 'unwritten':
        return null
      case 'written':
        break
    }
    if (record === null) throw new WitnessMismatch(`${place}: the file is missing`, null)
    if (record === 'damaged' || (keys && !isGenuineTpmRecord(keys, record))) {
      throw new WitnessMismatch(`${place}: the file is damaged`, null)
    }
    const { head, sequence, at, before, after } = record
    const value = found.value.toString('hex')
    if (value !== before && value !== after) {
      throw new WitnessMismatch(
        `${place}: the file is older than the TPM's value, so the disk was taken back`,
        null,
        'witness_behind',
      )
    }
    return { value: found.value, position: { head, sequence, at }, isCounted: value === after }
  }

  /** Returns the value to extend, where nothing that is known agrees with the TPM. */
  async function begin(): Promise<Buffer> {
    const found = await index.read()
    switch (found.how) {
      case 'missing':
        await index.define()
        return UNWRITTEN
      case 'unwritten':
        return UNWRITTEN
      case 'written':
        return found.value
      case 'foreign':
        throw new Error('its index is not of this signer: name another index, or remove it')
    }
  }

  return {
    place,
    read: () =>
      guardWitness(place, async () => {
        known = null
        known = await find()
        return known?.position ?? null
      }),
    write: (position) =>
      guardWitness(place, async () => {
        if (!keys) throw new Error('the passphrase is needed to write it')
        if (known?.isCounted && isSamePosition(known.position, position)) return
        const { record, data } = makeTpmRecord(keys, position, known?.value ?? (await begin()))
        // The record comes first: after a crash in between, the TPM still holds the record's `before`.
        records.write(record)
        const value = await index.extend(data)
        if (value.toString('hex') !== record.after) {
          throw new WitnessMismatch(
            `${place}: something else has written it: a copy of this home may be in use`,
            null,
          )
        }
        known = { value, position, isCounted: true }
      }),
  }
}

/**
 * Takes the index out of use, so that a copy of the home that still names it is locked: removes it, or where
 * the owner's password is not known, counts once more.
 */
export async function retireTpmWitness(index: NvIndex): Promise<void> {
  try {
    await index.undefine()
  } catch {
    await index.extend(UNWRITTEN)
  }
}
