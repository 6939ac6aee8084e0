/** Reads `networks.yml` and checks it as a whole. */

import { readFile } from 'node:fs/promises'
import { parse } from 'yaml'
import { z } from 'zod'
import { byFamily } from '../domain/chain/by-family.js'
import type { Network, Networks } from '../domain/chain/network.js'
import { networksFile } from './networks-schema.js'
import { toEvmNetwork, toUtxoNetwork } from './to-network.js'

/** File that ships with the product. */
export const DEFAULT_NETWORKS_FILE = new URL('../config/networks.yml', import.meta.url)

/**
 * Reads and checks the networks that this installation serves. Networks with `enabled: false` are left out.
 *
 * @param path - Path of the file. Default: `KEYTURN_NETWORKS_FILE`, or the file that ships with the product.
 * @param environment - Values of `${NAME}`. Default: `process.env`.
 * @throws Error that names the file, the path in it and the reason.
 */
export async function loadNetworks(
  path: string | URL = process.env.KEYTURN_NETWORKS_FILE ?? DEFAULT_NETWORKS_FILE,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Promise<Networks> {
  return parseNetworks(await readFile(path, 'utf8'), environment, String(path))
}

/** Parses and checks the text of such a file. @throws Error that names the source and the reason. */
export function parseNetworks(
  text: string,
  environment: Readonly<Record<string, string | undefined>> = {},
  source = 'networks.yml',
): Networks {
  const withoutComments = text.replace(/^\s*#.*$/gm, '')
  const expanded = withoutComments.replace(
    /\$\{([A-Z0-9_]+)(?::-([^}]*))?\}/g,
    (_whole, variable: string, fallback?: string) => {
      const value = environment[variable] ?? fallback
      if (value === undefined) throw new Error(`${source}: set ${variable} in the environment`)
      return value
    },
  )
  const parsed = networksFile.safeParse(parse(expanded))
  if (!parsed.success) throw new Error(`${source}: ${z.prettifyError(parsed.error)}`)
  const networks = new Map<string, Network>()
  for (const [networkName, entry] of Object.entries(parsed.data.networks)) {
    if (!entry.enabled) continue
    const network = byFamily(entry, {
      utxo: (utxo): Network => {
        const chain = parsed.data.utxo_chains[networkName]?.[utxo.chain]
        if (!chain) throw new Error(`${source}: utxo_chains.${networkName}.${utxo.chain} is missing`)
        return toUtxoNetwork(networkName, utxo, chain)
      },
      evm: (evm): Network =>
        toEvmNetwork(networkName, evm, parsed.data.evm_chains[evm.chain_id]?.genesis ?? null),
    })
    networks.set(networkName, network)
  }
  refuseTwins([...networks.values()], source)
  return networks
}

/**
 * Refuses two networks that could be confused. An intent names its network by its CAIP-2 id only, and a
 * signature on a chain of the Bitcoin family names none. Coin type 1 belongs to every test network (SLIP-44),
 * where coins have no value.
 */
function refuseTwins(networks: readonly Network[], source: string): void {
  const keysOf = (network: Network) => `${network.derivation.purpose}/${network.derivation.coinType}`
  for (const [index, one] of networks.entries()) {
    for (const other of networks.slice(index + 1)) {
      if (one.caip2 === other.caip2) {
        throw new Error(`${source}: ${one.name} and ${other.name} are both ${one.caip2}`)
      }
      const sameFamily = one.family === other.family
      const signsForNone = byFamily(one, { utxo: () => true, evm: () => false })
      if (sameFamily && signsForNone && one.derivation.coinType !== 1 && keysOf(one) === keysOf(other)) {
        throw new Error(
          `${source}: ${one.name} and ${other.name} would have the same keys. Give one of them another coin_type`,
        )
      }
    }
  }
}
