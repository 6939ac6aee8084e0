/** Starts the whole stack so that its platform reads the chains through unreliable nodes only. */

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import type { Ports } from '../../local/stack/ports.js'
import { DEFAULT_NETWORKS_FILE } from '../../networks/load-networks.js'
import { startUnreliableNode, type UnreliableNode } from '../support/unreliable-node/start-unreliable-node.js'
import { NETWORKS, type NetworkName } from './rails.js'
import { createRandom } from './random.js'
import { type FaultStack, startFaultStack } from './stack.js'

export interface UnreliableStack extends FaultStack {
  /** Unreliable node of each network. */
  readonly nodes: Readonly<Record<NetworkName, UnreliableNode>>
}

const secrets = z.object({ bitcoin_password: z.string() })

/** Starts the stack. Its nodes are honest until a test asks them to misbehave. */
export async function startUnreliableStack(
  seed: number,
  environment: Readonly<Record<string, string>>,
): Promise<UnreliableStack> {
  let prepared: { readonly home: string; readonly ports: Ports } | undefined
  const upstream = (network: NetworkName) => () => {
    if (!prepared) throw new Error('The nodes do not run yet')
    const origin = `127.0.0.1:${prepared.ports[network]}`
    if (NETWORKS[network].family === 'evm') return `http://${origin}`
    const { bitcoin_password: password } = secrets.parse(
      JSON.parse(readFileSync(join(prepared.home, 'state.json'), 'utf8')),
    )
    return `http://keyturn:${password}@${origin}`
  }
  const open = async (network: NetworkName, index: number) => {
    const { family, honestNode } = NETWORKS[network]
    const random = createRandom(seed + index)
    const node = await startUnreliableNode(family, upstream(network), random)
    const honest = honestNode ? await startUnreliableNode(family, upstream(network), random) : null
    return { network, node, honest, urls: [node.url, ...(honest ? [honest.url] : [])] }
  }
  const opened = await Promise.all((Object.keys(NETWORKS) as NetworkName[]).map(open))
  const close = async () => {
    await Promise.all(opened.flatMap(({ node, honest }) => [node.close(), honest?.close()]))
  }
  try {
    const stack = await startFaultStack((chosen) => {
      prepared = chosen
      return { ...environment, KEYTURN_NETWORKS_FILE: networksFile(chosen.home, opened) }
    })
    return {
      ...stack,
      nodes: Object.fromEntries(
        opened.map(({ network, node }) => [network, node]),
      ) as UnreliableStack['nodes'],
      async stop(keep) {
        await stack.stop(keep)
        await close()
      },
    }
  } catch (error) {
    await close()
    throw error
  }
}

/**
 * Writes the product's networks with the unreliable nodes in place of variables, as the stack sets those to
 * the real nodes.
 */
function networksFile(
  home: string,
  networks: readonly { readonly network: NetworkName; readonly urls: readonly string[] }[],
): string {
  const text = networks.reduce(
    (changed, { network, urls }) => {
      const variable = new RegExp(`\\$\\{${network.toUpperCase()}_RPC_URLS:-[^}]*\\}`)
      if (!variable.test(changed)) throw new Error(`networks.yml has no nodes of ${network}`)
      return changed.replace(variable, urls.join(','))
    },
    readFileSync(DEFAULT_NETWORKS_FILE, 'utf8'),
  )
  const file = join(home, 'networks.yml')
  writeFileSync(file, text)
  return file
}
