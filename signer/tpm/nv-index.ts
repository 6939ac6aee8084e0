/** Keeps a value in a TPM that can only be extended: each new value is a hash of the one before it. */

import { createHash } from 'node:crypto'
import { connectTpm, type Tpm } from './connect-tpm.js'
import { sized, u16, u32 } from './marshal.js'
import { type Named, runPlain, runWithPassword, runWithSecret, TpmRefusal } from './run-command.js'

/**
 * Longest time of an operation, for every behaviour of the TPM. It has up to six commands, and waits for a TPM
 * that limits the rate of its writes.
 */
const OPERATION_MS = 10_000

const NV_READ_PUBLIC = 0x169
const NV_READ = 0x14e
const NV_EXTEND = 0x136
const NV_DEFINE_SPACE = 0x12a
const NV_UNDEFINE_SPACE = 0x122

const SHA256 = 0x000b
const VALUE_BYTES = 32
/**
 * Attributes of the index: of type EXTEND, written and read with its own secret, read by the owner too, and
 * outside the protection against guessing, so that no one can block the signer with wrong guesses. It is not
 * ORDERLY: a value that the TPM keeps in its RAM would be lost in a power cut.
 */
const ATTRIBUTES = 0x0206_0044
const WRITTEN = 0x2000_0000

const HANDLE_UNKNOWN = 0x8b
const AUTH_WRONG: ReadonlySet<number> = new Set([0x8e, 0xa2])

const OWNER: Named = { handle: 0x40000001, name: u32(0x40000001) }

/** Content of an index. `foreign` is one that this signer did not define. */
export type NvReading =
  | { readonly how: 'missing' }
  | { readonly how: 'foreign' }
  | { readonly how: 'unwritten' }
  | { readonly how: 'written'; readonly value: Buffer }

/** An index of a TPM. Every method throws an Error where the TPM cannot be asked. */
export interface NvIndex {
  read(): Promise<NvReading>
  /** Sets the value to the hash of the present one and `data`. @returns The value that the TPM then holds. */
  extend(data: Buffer): Promise<Buffer>
  /** Creates the index. Its value is 32 zeros. */
  define(): Promise<void>
  /** Removes the index. */
  undefine(): Promise<void>
}

/** Returns the value that extending `value` by `data` gives. */
export function extended(value: Buffer, data: Buffer): Buffer {
  return createHash('sha256').update(value).update(data).digest()
}

/**
 * Opens an index. Each method connects to the TPM again.
 *
 * @param secret - Secret of the index. `null` for reading as the owner, which proves nothing.
 * @param owner - Password of the owner hierarchy, which creates, removes and reads the index.
 * @param timeoutMs - Longest time of one method.
 */
export function openNvIndex(
  device: string,
  handle: number,
  secret: Buffer | null,
  owner: Buffer,
  timeoutMs: number = OPERATION_MS,
): NvIndex {
  // The TPM takes the secret without zeros at its end.
  const key = secret && withoutZeros(secret)
  const publicArea = (attributes: number) =>
    Buffer.concat([u32(handle), u16(SHA256), u32(attributes), sized(Buffer.alloc(0)), u16(VALUE_BYTES)])

  async function operate<T>(use: (tpm: Tpm) => Promise<T>): Promise<T> {
    const tpm = await connectTpm(device, Date.now() + timeoutMs)
    try {
      return await use(tpm)
    } finally {
      tpm.close()
    }
  }

  function named(attributes: number): Named {
    const hash = createHash('sha256').update(publicArea(attributes)).digest()
    return { handle, name: Buffer.concat([u16(SHA256), hash]) }
  }

  /** Returns the index. `null` where there is none, and `foreign` where it has another form. */
  async function find(
    tpm: Tpm,
  ): Promise<{ readonly index: Named; readonly written: boolean } | 'foreign' | null> {
    const plain = { handle, name: Buffer.alloc(0) }
    try {
      const found = (
        await runPlain(tpm, { code: NV_READ_PUBLIC, handles: [plain], parameters: Buffer.alloc(0) })
      ).sized()
      for (const attributes of [ATTRIBUTES, ATTRIBUTES | WRITTEN]) {
        if (found.equals(publicArea(attributes))) {
          return { index: named(attributes), written: attributes !== ATTRIBUTES }
        }
      }
      return 'foreign'
    } catch (error) {
      if (error instanceof TpmRefusal && error.reason === HANDLE_UNKNOWN) return null
      throw error
    }
  }

  async function readValue(tpm: Tpm, index: Named): Promise<Buffer> {
    const parameters = Buffer.concat([u16(VALUE_BYTES), u16(0)])
    const command = { code: NV_READ, parameters }
    const answer = key
      ? await runWithSecret(tpm, { ...command, handles: [index, index] }, key)
      : await runWithPassword(tpm, { ...command, handles: [OWNER, index] }, owner)
    return Buffer.from(answer.sized())
  }

  return {
    read: () =>
      operate(async (tpm) => {
        const found = await find(tpm)
        if (found === null) return { how: 'missing' }
        if (found === 'foreign') return { how: 'foreign' }
        if (!found.written) return { how: 'unwritten' }
        try {
          return { how: 'written', value: await readValue(tpm, found.index) }
        } catch (error) {
          if (key && isAuthWrong(error)) return { how: 'foreign' }
          throw error
        }
      }),
    extend: (data) =>
      operate(async (tpm) => {
        if (!key) throw new Error('the passphrase is needed to write the TPM')
        const found = await find(tpm)
        if (found === null || found === 'foreign') throw new Error('the index of the TPM is gone')
        const handles = [found.index, found.index]
        try {
          await runWithSecret(tpm, { code: NV_EXTEND, handles, parameters: sized(data) }, key)
        } catch (error) {
          if (isAuthWrong(error)) throw new Error("the TPM's index is not of this signer")
          throw error
        }
        return readValue(tpm, named(ATTRIBUTES | WRITTEN))
      }),
    define: () =>
      operate(async (tpm) => {
        if (!key) throw new Error('the passphrase is needed to write the TPM')
        const parameters = Buffer.concat([sized(key), sized(publicArea(ATTRIBUTES))])
        await runWithPassword(tpm, { code: NV_DEFINE_SPACE, handles: [OWNER], parameters }, owner)
      }),
    undefine: () =>
      operate(async (tpm) => {
        const index = { handle, name: Buffer.alloc(0) }
        const command = { code: NV_UNDEFINE_SPACE, handles: [OWNER, index], parameters: Buffer.alloc(0) }
        await runWithPassword(tpm, command, owner)
      }),
  }
}

/** Returns whether the TPM refused the secret. */
function isAuthWrong(error: unknown): boolean {
  return error instanceof TpmRefusal && AUTH_WRONG.has(error.reason)
}

function withoutZeros(secret: Buffer): Buffer {
  let length = secret.length
  while (length > 0 && secret[length - 1] === 0) length--
  return secret.subarray(0, length)
}
