/** Reads the networks of the signer's own copy of the networks file. */

import { readFile } from 'node:fs/promises'
import type { Networks } from '../../domain/chain/network.js'
import { Failure } from '../failure.js'

/** Text of the networks file inside the executable, which local/build.ts sets. */
declare const __KEYTURN_NETWORKS__: string | undefined

/**
 * Reads networks from a file, else `KEYTURN_NETWORKS_FILE`, else the copy inside.
 *
 * @throws Failure that names the fault.
 */
export async function readNetworks(path: string | undefined): Promise<Networks> {
  // Only `init` needs the YAML parser, so that `run` starts without it.
  const { DEFAULT_NETWORKS_FILE, parseNetworks } = await import('../../networks/load-networks.js')
  const file = path ?? process.env.KEYTURN_NETWORKS_FILE
  try {
    const inside = typeof __KEYTURN_NETWORKS__ === 'string' ? __KEYTURN_NETWORKS__ : null
    const text = file || inside === null ? await readFile(file ?? DEFAULT_NETWORKS_FILE, 'utf8') : inside
    const networks = parseNetworks(text, process.env, file ?? 'networks.yml')
    if (networks.size === 0) throw new Error('No network is enabled')
    return networks
  } catch (error) {
    throw new Failure(error instanceof Error ? error.message : 'The networks file cannot be read', {
      cause: error,
    })
  }
}
