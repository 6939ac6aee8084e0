/** Chooses the port of each part of the local stack. */

import { freePort, isPortFree } from '../parts/free-port.js'
import type { Say } from '../parts/say.js'

/** Default ports. With `KEYTURN_PORT_BASE` the ports follow each other from there, in this order. */
const DEFAULT_PORTS = {
  api: 4000,
  temporal: 7233,
  temporalUi: 8233,
  ethereum: 8545,
  bitcoin: 18443,
  postgres: 5433,
  merchant: 4100,
  temporalMetrics: 7234,
  litecoin: 19443,
  polygon: 8546,
  metrics: 4001,
} as const

export type Ports = Record<keyof typeof DEFAULT_PORTS, number>

/** Number of ports from `KEYTURN_PORT_BASE` up. */
export const PORT_COUNT = Object.keys(DEFAULT_PORTS).length

/**
 * Chooses the ports. A free port replaces a busy default, and the terminal shows it.
 *
 * @throws Error when `KEYTURN_PORT_BASE` is not a number, or a port from there up is busy.
 */
export async function choosePorts(say: Say, base = process.env.KEYTURN_PORT_BASE): Promise<Ports> {
  const names = Object.keys(DEFAULT_PORTS) as (keyof Ports)[]
  const chosen: Partial<Ports> = {}
  if (base) {
    const first = Number(base)
    if (!Number.isInteger(first) || first < 1024 || first + names.length > 65_535)
      throw new Error(`KEYTURN_PORT_BASE=${base} is not a port from 1024 to ${65_535 - names.length}`)
    for (const [offset, name] of names.entries()) chosen[name] = first + offset
    for (const [name, port] of Object.entries(chosen)) {
      if (!(await isPortFree(port)))
        throw new Error(`Port ${port} (${name}) is in use; set KEYTURN_PORT_BASE to another one`)
    }
    return chosen as Ports
  }
  for (const name of names) {
    const wanted = DEFAULT_PORTS[name]
    chosen[name] = (await isPortFree(wanted)) ? wanted : await freePort()
    if (chosen[name] !== wanted) say(`Port ${wanted} (${name}) is in use: taking ${chosen[name]}`)
  }
  return chosen as Ports
}
