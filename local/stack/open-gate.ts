/** Opens a port that leads to another one, and that is shut while the other one must not be used. */

import { connect, createServer, type Socket } from 'node:net'

export interface Gate {
  /** Lets new connections lead to this port of 127.0.0.1. */
  open(port: number): void
  /** Refuses new connections and cuts the open ones. */
  shut(): void
  close(): void
}

/** Listens on a port of 127.0.0.1. The gate is shut at first. */
export async function openGate(port: number): Promise<Gate> {
  let target: number | null = null
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    if (target === null) {
      client.destroy()
      return
    }
    const node = connect(target, '127.0.0.1')
    for (const [socket, other] of [
      [client, node],
      [node, client],
    ] as const) {
      sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', () => other.destroy())
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
      socket.pipe(other)
    }
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  const shut = () => {
    target = null
    for (const socket of sockets) socket.destroy()
  }
  return {
    open(to) {
      target = to
    },
    shut,
    close() {
      shut()
      server.close()
    },
  }
}
