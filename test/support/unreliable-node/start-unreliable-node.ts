/**
 * Starts a node that sometimes answers wrongly: a JSON-RPC proxy in front of a real node. It lags as a
 * replica behind a load balancer does, forgets transactions, lacks the newest blocks, loses its mempool, is
 * slow, refuses, and comes back at another height. It invents nothing: a real node gives each of its answers,
 * now, earlier, or when it knows less.
 */

import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import type { Random } from '../../fault/random.js'
import { evmFamily } from './evm-family.js'
import { utxoFamily } from './utxo-family.js'
import type { Answer, Ask, View } from './view.js'

export const MISBEHAVIOURS = [
  /** Some replicas behind the address are up to eight blocks behind. */
  'lagging',
  /** The node finds no transaction by its id. */
  'forgetful',
  /** The node names a head whose block it does not have. */
  'short of blocks',
  /** The node shows an empty mempool, accepts transactions and drops them. */
  'without mempool',
  'slow',
  /** The node answers with HTTP 429, 500, 502, 503 or pages of HTML, or cuts connections. */
  'refusing',
  /** The node is away, then catches up from some blocks before. */
  'restarting',
] as const
export type Misbehaviour = (typeof MISBEHAVIOURS)[number]

export interface UnreliableNode {
  readonly url: string
  /** Sets how the node answers from now on. It starts honest. */
  behave(behaviour: Misbehaviour | 'honest'): void
  /** Returns how many answers differed from what the real node would have answered at once. */
  lies(): Readonly<Record<Misbehaviour, number>>
  close(): Promise<void>
}

const FAMILIES = { evm: evmFamily, utxo: utxoFamily } as const
const WHOLE: View = { top: null, admitsTop: true, findsTransactions: true, hasMempool: true }
const LAG = [3, 8] as const
const AWAY_MS = 1_000
/** Time to catch up a block after a restart. */
const CATCH_UP_MS = 400
const SLOW_MS = [300, 2_500] as const
/** Wrong answers in a hundred of a lagging or refusing node. */
const PERCENT_BAD = 60

/** Methods that read the mempool, whose wrong answer can equal the real one. */
const MEMPOOL_METHODS = ['txpool_content', 'getrawmempool']

const call = z.object({ id: z.unknown(), method: z.string(), params: z.array(z.unknown()).default([]) })
const request = z.union([call, z.array(call)])
const answered = z.object({ result: z.unknown().optional(), error: z.unknown().optional() })

/**
 * Starts the proxy on a free port of 127.0.0.1.
 *
 * @param upstream - Returns the URL of the real node, with `user:password@` where the node wants it. Called
 *   at each request, because
 *   the node may not run yet.
 */
export async function startUnreliableNode(
  familyName: keyof typeof FAMILIES,
  upstream: () => string,
  random: Random,
): Promise<UnreliableNode> {
  const family = FAMILIES[familyName]
  const lies = Object.fromEntries(MISBEHAVIOURS.map((each) => [each, 0])) as Record<Misbehaviour, number>
  let behaviour: Misbehaviour | 'honest' = 'honest'
  let since = Date.now()
  let depth: number = LAG[0]

  /**
   * Returns what an answer is made from. Behind a load balancer each answer may come from another replica.
   */
  async function view(of: Misbehaviour | 'honest'): Promise<View> {
    const upTo = async (blocks: number, admitsTop: boolean): Promise<View> => ({
      ...WHOLE,
      top: Math.max(0, (await family.height(ask)) - blocks),
      admitsTop,
    })
    switch (of) {
      case 'lagging':
        return random.between(1, 100) <= PERCENT_BAD ? upTo(random.between(1, depth), true) : WHOLE
      case 'short of blocks':
        return upTo(Math.min(depth, 3), false)
      case 'restarting': {
        const behind = depth - Math.floor((Date.now() - since - AWAY_MS) / CATCH_UP_MS)
        return behind > 0 ? upTo(behind, true) : WHOLE
      }
      case 'forgetful':
        return { ...WHOLE, findsTransactions: false }
      case 'without mempool':
        return { ...WHOLE, hasMempool: false }
      default:
        return WHOLE
    }
  }

  const ask: Ask = async (method, params) => {
    const { username, password, origin } = new URL(upstream())
    const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
    const response = await fetch(origin, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(username === '' ? {} : { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` }),
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    })
    const { result, error } = answered.parse(await response.json())
    return error === undefined || error === null ? { result } : { error }
  }

  async function serve(body: string, response: ServerResponse): Promise<void> {
    const now = behaviour
    if (now === 'restarting' && Date.now() - since < AWAY_MS) {
      lies[now] += 1
      response.socket?.destroy()
      return
    }
    if (now === 'refusing' && random.between(1, 100) <= PERCENT_BAD) {
      lies[now] += 1
      refuse(response, random)
      return
    }
    if (now === 'slow') {
      lies[now] += 1
      await sleep(random.between(...SLOW_MS))
    }
    const calls = request.parse(JSON.parse(body))
    const shown = await view(now)
    const reply = async (one: z.infer<typeof call>) => {
      const said = shown === WHOLE ? await ask(one.method, one.params) : await lie(one, shown, now)
      return { jsonrpc: '2.0', id: one.id, ...said }
    }
    const answer = Array.isArray(calls) ? await Promise.all(calls.map(reply)) : await reply(calls)
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
  }

  async function lie(one: z.infer<typeof call>, shown: View, now: Misbehaviour | 'honest'): Promise<Answer> {
    const said = await family.answer(one, shown, ask)
    if (now !== 'honest') {
      const truth = one.method.startsWith('send') ? null : await ask(one.method, one.params)
      const isHidden = !shown.hasMempool && MEMPOOL_METHODS.includes(one.method)
      if (isHidden || JSON.stringify(said) !== JSON.stringify(truth)) lies[now] += 1
    }
    return said
  }

  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = []
    incoming.on('error', () => {})
    response.on('error', () => {})
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
    incoming.on('end', () => {
      // The real node is away or answers no JSON, so this node cuts the connection.
      serve(Buffer.concat(chunks).toString('utf8'), response).catch(() => response.socket?.destroy())
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    behave(next) {
      behaviour = next
      since = Date.now()
      depth = random.between(...LAG)
    },
    lies: () => ({ ...lies }),
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function refuse(response: ServerResponse, random: Random): void {
  switch (random.between(1, 6)) {
    case 1:
      response.writeHead(429, { 'retry-after': '1' }).end('Too Many Requests')
      return
    case 2:
      response.writeHead(500).end('Internal Server Error')
      return
    case 3:
      response.writeHead(502, { 'content-type': 'text/html' }).end('<html><body>Bad Gateway</body></html>')
      return
    case 4:
      response.writeHead(503).end()
      return
    case 5:
      response.writeHead(200, { 'content-type': 'text/html' }).end('<html><body>Maintenance</body></html>')
      return
    default:
      response.socket?.destroy()
  }
}
