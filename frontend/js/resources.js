// What views have asked the service for, kept until it may have changed. While a newer answer is on its way, and when
// none comes, the last one stays.

const KEPT = 24;

/**
 * `get(path)` promises `{body, next}`; `changed()` is called when an answer has come. A resource is
 * `{value, next, problem, isLoading}`; its value is undefined before the first answer.
 */
export function createResources(get, changed) {
  const all = new Map(); // path → resource, the one used longest ago first

  return {
    /** The resource at a path, asked for if need be. */
    want(path) {
      const resource = all.get(path) ?? {
        path,
        value: undefined,
        next: null,
        problem: null,
        isLoading: false,
        isStale: true,
      };
      all.delete(path);
      all.set(path, resource);
      if (all.size > KEPT) all.delete(all.keys().next().value);
      if (resource.isStale && !resource.isLoading) load(resource);
      return resource;
    },

    /** Have what fits asked for again when it is next wanted. */
    expire(fits = () => true) {
      for (const resource of all.values()) if (fits(resource)) resource.isStale = true;
    },
  };

  async function load(resource) {
    Object.assign(resource, { isLoading: true, isStale: false });
    try {
      const { body, next } = await get(resource.path);
      Object.assign(resource, { value: body, next, problem: null });
    } catch (problem) {
      resource.problem = problem;
    }
    resource.isLoading = false;
    changed();
  }
}
