/**
 * A package registry on this machine that serves what `node_modules` of the repository holds, and nothing
 * else.
 */

import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'

export interface Manifest {
  readonly name: string
  readonly version: string
  readonly dependencies?: Readonly<Record<string, string>>
}

interface Installed {
  readonly directory: string
  readonly manifest: Manifest
}

export interface OfflineRegistry {
  readonly url: string
  close(): void
}

/** Reads the `package.json` of a directory. */
export function readManifest(directory: string): Manifest {
  return JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as Manifest
}

/**
 * Starts a registry with the packages that a package needs, and those that they need.
 *
 * @param directory - Of the package whose dependencies are served.
 * @param tarballs - An empty directory for the packed packages.
 */
export async function startOfflineRegistry(directory: string, tarballs: string): Promise<OfflineRegistry> {
  const packages = installedBelow(directory)
  execFileSync(
    'npm',
    [
      'pack',
      '--ignore-scripts',
      '--silent',
      '--pack-destination',
      tarballs,
      ...packages.map((each) => each.directory),
    ],
    { cwd: tarballs, stdio: 'pipe' },
  )
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? '').slice(1)
    if (path.endsWith('.tgz')) return response.end(readFileSync(join(tarballs, path)))
    const versions = packages.filter((each) => each.manifest.name === path)
    response.statusCode = versions.length > 0 ? 200 : 404
    return response.end(JSON.stringify(describe(path, versions, addressOf(server))))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { url: addressOf(server), close: () => server.close() }
}

/**
 * Lists the packages that a package finds when it imports what it depends on, each once, in every version.
 */
function installedBelow(directory: string, known = new Map<string, Installed>()): readonly Installed[] {
  for (const name of Object.keys(readManifest(directory).dependencies ?? {})) {
    const found = find(name, directory)
    if (known.has(found)) continue
    known.set(found, { directory: found, manifest: readManifest(found) })
    installedBelow(found, known)
  }
  return [...known.values()]
}

/** Finds a package as Node does: in the nearest `node_modules` upward. */
function find(name: string, from: string): string {
  const candidate = join(from, 'node_modules', name)
  if (existsSync(join(candidate, 'package.json'))) return candidate
  if (dirname(from) === from) throw new Error(`${name} is not installed`)
  return find(name, dirname(from))
}

function describe(name: string, versions: readonly Installed[], url: string) {
  const tarball = ({ version }: Manifest) => `${name.replace('@', '').replace('/', '-')}-${version}.tgz`
  return {
    name,
    'dist-tags': { latest: versions[0]?.manifest.version },
    versions: Object.fromEntries(
      versions.map(({ manifest }) => [
        manifest.version,
        { ...manifest, dist: { tarball: `${url}/${tarball(manifest)}` } },
      ]),
    ),
  }
}

function addressOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
