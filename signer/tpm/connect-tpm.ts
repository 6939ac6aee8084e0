/** Sends commands to a TPM 2.0 through its device or a Unix socket. */

import { once } from 'node:events'
import { type FileHandle, open, stat } from 'node:fs/promises'
import { createConnection, type Socket } from 'node:net'

/** Most bytes of a response. */
const MAX_RESPONSE_BYTES = 4_096
/** Bytes of a response's tag, size and code. */
const HEADER_BYTES = 10

/** Connection to a TPM, which executes one command after the other. */
export interface Tpm {
  /** Returns the whole response. @throws Error when there is none in time. */
  send(command: Buffer): Promise<Buffer>
  close(): void
}

/** Way of the bytes to and from a TPM. */
interface Stream {
  write(bytes: Buffer): Promise<unknown>
  /** Returns the next bytes. Empty where the TPM has ended the connection. */
  read(): Promise<Buffer>
  close(): void
}

/**
 * Connects to a TPM, for one operation: the kernel's resource manager then removes the sessions of a process
 * that died, and a TPM in software serves one connection at a time.
 *
 * @param device - Path of a character device (`/dev/tpmrm0`) or of a Unix socket (a TPM in software).
 * @param deadline - Time in milliseconds since the epoch by which the last response must be here.
 */
export async function connectTpm(device: string, deadline: number): Promise<Tpm> {
  const kind = await stat(device)
  const opening = kind.isSocket() ? openSocket(device) : kind.isCharacterDevice() ? openDevice(device) : null
  if (!opening) throw new Error(`${device} is neither a device nor a socket`)
  const stream = await before(deadline, opening).catch((error) => {
    // It may open after the deadline, and no code would close it.
    opening.then((late) => late.close()).catch(() => undefined)
    throw error
  })
  return {
    async send(command) {
      await before(deadline, stream.write(command))
      let response: Buffer = Buffer.alloc(0)
      for (;;) {
        const more = await before(deadline, stream.read())
        if (more.length === 0) throw new Error('the TPM ended the connection')
        response = Buffer.concat([response, more])
        if (response.length < HEADER_BYTES) continue
        const size = response.readUInt32BE(2)
        if (size < HEADER_BYTES || size > MAX_RESPONSE_BYTES || response.length > size) {
          throw new Error('the TPM gave a response of another size than it says')
        }
        if (response.length === size) return response
      }
    },
    close: () => stream.close(),
  }
}

async function openDevice(path: string): Promise<Stream> {
  const file: FileHandle = await open(path, 'r+')
  return {
    write: (bytes) => file.write(bytes),
    async read() {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_RESPONSE_BYTES))
      return buffer.subarray(0, bytesRead)
    },
    // A command that hangs in the kernel keeps the file open until the driver gives it up.
    close: () => void file.close().catch(() => undefined),
  }
}

async function openSocket(path: string): Promise<Stream> {
  const socket: Socket = createConnection(path)
  await once(socket, 'connect')
  let failure: Error | null = null
  socket.on('error', (error) => {
    failure = error
  })
  const chunks = socket.iterator({ destroyOnReturn: false })
  return {
    async write(bytes) {
      if (failure) throw failure
      socket.write(bytes)
    },
    async read() {
      const next = await chunks.next()
      return next.done ? Buffer.alloc(0) : (next.value as Buffer)
    },
    close: () => void socket.destroy(),
  }
}

/** Returns the result of a step. @throws Error when the deadline is earlier. */
async function before<T>(deadline: number, step: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('the TPM did not answer in time')), deadline - Date.now())
  })
  // The loser of the race may still fail, and no code waits for it.
  step.catch(() => undefined)
  try {
    return await Promise.race([step, late])
  } finally {
    clearTimeout(timer)
  }
}
