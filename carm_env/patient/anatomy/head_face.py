"""The facial skeleton: orbits, zygoma and arch, maxilla, palate, nose and the paranasal sinuses, with the eyes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.anatomy.head_frame import LENS, Head
from carm_env.patient.anatomy.part import Grain, Part, bone, tissue
from carm_env.patient.anatomy.shapes import Shape, rotation
from carm_env.patient.anatomy.texture import FRACTAL, RIDGED

F64 = NDArray[np.float64]
WALL_HU = 620.0


def parts(head: Head) -> list[Part]:
    """Face bones, then the air in them, then what stands in that air."""
    antra = _antra(head)
    sphenoid = _sphenoid(head)
    wall = tissue("skull", [*antra, *sphenoid], WALL_HU, inset_mm=-1.1)
    return [
        _orbital_fat(head), wall, _thin_walls(head), _strong_bones(head), _arches(head), *_eyes(head),
        *_frontal(head), tissue("sinus", [*antra, *sphenoid], -960.0), *_nose(head), _palate(head),
    ]  # fmt: skip


def _antra(head: Head) -> list[Shape]:
    """Maxillary sinuses: wide under the orbit, narrow at the molars' roots; each side its own size."""
    rng = head.build.rng("antra")
    both = []
    for side in (-1.0, 1.0):
        size = 1.0 + 0.08 * np.clip(rng.standard_normal(3), -2.0, 1.5)
        both += [
            head.ball(
                (side * 26.5, -63.0, -66.0), np.array([13.0, 16.0, 9.5]) * size, rotation(z_deg=side * -14.0), 2.8
            ),
            head.ball((side * 26.0, -62.0, -77.0), np.array([9.5, 14.0, 9.5]) * size, rotation(z_deg=side * -8.0), 2.6),
        ]
    return both


def _sphenoid(head: Head) -> list[Shape]:
    """Sphenoid sinuses under the sella, parted off the midline; small in some."""
    rng = head.build.rng("sphenoid")
    size = float(np.clip(rng.normal(1.05, 0.16), 0.55, 1.22))
    apart = rng.normal(0.0, 1.5)
    shapes = []
    for side in (-1.0, 1.0):
        x, back = side * 8.5 + apart, 6.0 * (1.0 - size)
        shapes += [
            head.ball((x, -30.0 - back, -48.0), size * np.array([8.2, 13.5, 7.8]), None, 2.6),
            head.ball((x - side, -39.0, -42.0), size * np.array([6.8, 6.0, 8.5]), None, 2.5),
        ]
    return shapes


def _frontal(head: Head) -> list[Part]:
    """Frontal sinuses: from none to high and scalloped, never alike on both sides."""
    rng = head.build.rng("frontal sinus")
    absent = rng.random(2) < 0.06
    size = np.clip(rng.normal(0.75 + 0.3 * head.brow, 0.2, 2), 0.4, 1.25)
    lobe = rng.random(2)
    shapes = []
    for i, side in enumerate((-1.0, 1.0)):
        if absent[i]:
            continue
        s = size[i]
        shapes += [
            head.ball((side * 7.5, -90.5, -27.0 + 7.0 * s), np.array([6.0, 3.6, 11.0 * s]), rotation(x_deg=6.0)),
            head.ball(
                (side * (13.0 + 6.0 * s), -88.5, -26.0 + 5.0 * s), np.array([7.0 + 4.0 * s * lobe[i], 3.2, 7.0 * s])
            ),
        ]
    return [tissue("sinus", shapes, -930.0)] if shapes else []


def _orbital_fat(head: Head) -> Part:
    """The orbit's cone of fat, from the rim to its apex."""
    cones = [
        *head.pair((31.0, -72.0, -43.0), (18.0, 13.0, 16.0)),
        *head.rods([(30.0, -68.0, -43.0), (23.0, -52.0, -41.0), (15.0, -38.0, -36.0)], [16.0, 11.0, 3.0]),
    ]
    return tissue("fat", cones, -85.0, grain=Grain(10.0, 2.0, FRACTAL))


def _thin_walls(head: Head) -> Part:
    """Walls of about a millimetre and less: medial wall and floor of the orbit, antral walls, pterygoid plates."""
    medial = [[(12.5, -86.0, -32.0), (12.8, -70.0, -30.5), (13.5, -56.0, -31.0), (13.0, -41.0, -33.0)],
              [(13.5, -86.0, -44.0), (14.0, -70.0, -43.0), (14.0, -56.0, -43.0), (14.0, -41.0, -40.0)],
              [(15.0, -85.0, -57.0), (16.5, -70.0, -57.0), (17.5, -56.0, -54.0), (17.0, -44.0, -50.0)]]  # fmt: skip
    floor = [[(17.0, -84.0, -58.0), (17.5, -66.0, -57.0), (19.0, -48.0, -51.0)],
             [(30.0, -82.0, -61.5), (28.0, -64.0, -57.0), (24.0, -46.0, -50.0)],
             [(42.0, -76.0, -60.5), (37.0, -62.0, -57.0), (29.0, -46.0, -50.0)]]  # fmt: skip
    side = [[(13.5, -84.0, -58.0), (14.0, -64.0, -60.0), (14.5, -46.0, -58.0)],
            [(15.0, -82.0, -72.0), (15.5, -64.0, -74.0), (15.0, -46.0, -72.0)],
            [(16.0, -80.0, -87.0), (17.5, -62.0, -87.0), (16.5, -46.0, -86.0)]]  # fmt: skip
    front = [[(15.0, -86.0, -62.0), (30.0, -82.5, -62.5), (42.0, -75.0, -65.0)],
             [(14.0, -86.0, -76.0), (27.0, -80.5, -74.0), (39.0, -71.0, -75.0)],
             [(14.0, -85.0, -88.0), (26.0, -77.0, -88.0), (32.0, -66.0, -88.0)]]  # fmt: skip
    lateral = [[(24.0, -40.0, -59.0), (23.5, -34.0, -60.0)], [(24.0, -38.0, -73.0), (26.0, -30.0, -74.0)],
               [(22.0, -38.0, -87.0), (25.0, -32.0, -86.0)]]  # fmt: skip
    inner = [[(14.5, -40.0, -58.0), (14.0, -34.0, -58.0)], [(15.0, -39.0, -73.0), (13.5, -32.0, -73.0)],
             [(16.0, -39.0, -87.0), (13.5, -34.0, -86.0)]]  # fmt: skip
    shapes = [*head.lattices(medial, 0.4), *head.lattices(floor, 0.5), *head.lattices(side, 0.5),
              *head.lattices(front, 0.9), *head.lattices(lateral, 0.9), *head.lattices(inner, 0.8)]  # fmt: skip
    return tissue("skull", shapes, 620.0, grain=Grain(120.0, 3.0, FRACTAL))


def _strong_bones(head: Head) -> Part:
    """Orbital rims, greater wings, zygoma, nasal bones, jaw's alveolar process: compact bone."""
    heavy = 0.8 + 0.25 * head.brow
    upper = [(11.0, -92.5, -37.0), (16.0, -93.0, -30.0), (24.0, -91.5, -26.0), (34.0, -88.0, -25.5),
             (44.0, -81.0, -29.5), (50.0, -73.5, -37.0)]  # fmt: skip
    wing = [[(50.0, -70.5, -30.0), (51.0, -69.0, -45.0), (48.0, -68.0, -58.0)],
            [(43.5, -58.0, -22.5), (42.5, -57.5, -44.0), (41.0, -58.0, -56.0)],
            [(37.0, -50.0, -25.0), (36.0, -49.0, -43.0), (35.5, -48.0, -54.0)],
            [(27.0, -44.0, -28.5), (26.0, -43.5, -41.0), (25.0, -42.5, -47.0)]]  # fmt: skip
    zygoma = [(51.0, -70.5, -45.0), (45.5, -76.0, -60.0), (33.0, -82.5, -61.5), (38.0, -73.0, -72.0),
              (35.0, -66.0, -83.0), (52.0, -66.0, -71.0), (57.5, -58.0, -64.0), (52.0, -68.0, -57.0)]  # fmt: skip
    nose = [[(0.0, -94.5, -37.0), (6.0, -93.0, -37.0), (11.0, -89.5, -39.0), (13.0, -86.5, -41.0)],
            [(0.0, -99.0, -49.0), (5.0, -96.5, -49.0), (10.0, -91.5, -51.0), (14.0, -86.5, -52.0)],
            [(0.0, -104.0, -58.5), (4.5, -102.0, -58.5), (10.5, -93.5, -60.0), (16.0, -86.0, -62.0)]]  # fmt: skip
    pillar = [
        (13.5, -89.0, -60.0),
        (14.0, -87.5, -70.0),
        (13.0, -87.0, -80.0),
        (7.0, -88.0, -86.5),
        (0.0, -90.0, -86.0),
    ]
    shapes = [
        *head.rods(upper, np.array([3.6, 4.0, 4.2, 4.0, 4.2, 3.8]) * heavy),
        *head.rods([(50.0, -73.5, -37.0), (51.5, -70.5, -46.0), (48.0, -73.0, -57.0)], [4.4, 3.6, 4.0]),
        *head.rods([(48.0, -73.0, -57.0), (40.0, -79.5, -62.0), (30.0, -83.5, -62.0), (20.0, -87.0, -57.0),
                    (13.0, -88.5, -47.0)],
                   [3.6, 2.8, 2.4, 2.2, 2.2]),
        *head.lattices(wing, [[1.9, 1.4, 1.7], [1.5, 1.1, 1.0], [1.6, 1.2, 0.9], [1.1, 0.8, 0.7]]),
        *head.plates(zygoma, _ZYGOMA, 2.8), *head.plates(np.array(zygoma) * [-1.0, 1.0, 1.0], _ZYGOMA, 2.8),
        *head.lattices(nose, [[1.9, 1.8, 1.5, 1.2], [1.3, 1.1, 1.3, 1.2], [0.7, 0.7, 1.3, 1.2]]),
        *head.rods(pillar, [1.8, 2.0, 2.2, 2.4, 2.2]),
    ]  # fmt: skip
    return bone("skull", shapes, 1.4, 430.0, 1150.0, Grain(90.0, 2.5, FRACTAL))


_ZYGOMA = ((0, 1, 7), (1, 2, 3), (1, 3, 5), (1, 5, 7), (3, 4, 5), (5, 6, 7))


def _arches(head: Head) -> Part:
    """Zygomatic arches with the articular tubercles."""
    path = [(56.5, -59.0, -65.0), (62.0, -46.0, -63.5), (65.5, -33.0, -60.5), (66.0, -20.0, -58.0), (65.0, -8.0, -55.0),
            (67.0, 4.0, -51.0)]  # fmt: skip
    arch = head.rods(path, np.array([5.4, 4.8, 4.2, 4.0, 4.6, 4.0]) * (0.95 + 0.15 * head.brow), (1.0, -0.15, 0.0), 2.1)
    tubercle = head.rods([(64.0, -18.0, -57.0), (54.0, -20.0, -55.0), (44.0, -20.5, -52.5)], [3.0, 2.8, 2.0])
    return bone("skull", [*arch, *tubercle], 1.4, 420.0, 1150.0)


_ROOF = [[2.2, 2.6, 2.2], [1.3, 1.4, 1.3], [1.0, 1.1, 1.0], [0.8, 1.0, 0.8]]


def _palate(head: Head) -> Part:
    """Hard palate and the alveolar process above the teeth, lower where teeth are lost."""
    roof = [[(-13.0, -80.0, -90.0), (0.0, -84.0, -87.5), (13.0, -80.0, -90.0)],
            [(-17.0, -66.0, -90.0), (0.0, -68.0, -85.6), (17.0, -66.0, -90.0)],
            [(-18.0, -54.0, -89.5), (0.0, -54.0, -85.0), (18.0, -54.0, -89.5)],
            [(-15.0, -42.0, -88.0), (0.0, -39.0, -85.6), (15.0, -42.0, -88.0)]]  # fmt: skip
    return bone("skull", head.lattice(roof, _ROOF), 1.0, 380.0, 880.0)


def _eyes(head: Head) -> list[Part]:
    """Globes with lenses, optic nerves and eye muscles."""
    globe = (LENS[0], LENS[1] + 8.4, LENS[2])
    cords = head.rods([(31.0, -62.0, -41.0), (22.0, -46.0, -38.0), (13.0, -35.0, -33.0)], [2.6, 2.3, 2.0])
    x, y, z = globe
    for dx, dz in ((11.0, 0.0), (-11.0, 0.0), (0.0, 11.0), (0.0, -11.5)):
        path = [(x + dx, y + 2.0, z + dz), (x + 0.75 * dx - 3.0, y + 14.0, z + 0.75 * dz), (17.0, -40.0, -36.5)]
        cords += head.rods(path, [1.8, 2.2, 1.2])
    found = [tissue("muscle", cords, 42.0)]
    for i, side in enumerate(("right", "left")):
        found.append(tissue(f"{side}_eye", [head.pair(globe, (12.0, 12.0, 12.0))[i]], 14.0))
        found.append(tissue(f"{side}_eye_lens", [head.pair(LENS, (4.6, 2.3, 4.6))[i]], 88.0))
    return found


def _nose(head: Head) -> list[Part]:
    """Nasal cavity and ethmoid cells, with septum and turbinates."""
    rng = head.build.rng("nose")
    bow, swell = rng.normal(0.0, 1.3), np.clip(rng.normal(1.0, 0.15, 2), 0.7, 1.3)
    cavity = [
        head.ball((0.0, -66.0, -73.5), (13.0, 26.0, 12.5), None, 2.8),
        head.ball((0.0, -62.0, -57.0), (7.5, 24.0, 10.0), None, 2.5),
        head.ball((0.0, -94.0, -70.0), (9.5, 9.0, 10.5)),
        *head.rods([(4.5, -94.0, -72.0), (6.0, -101.0, -80.0), (7.0, -102.0, -86.0)], [4.0, 4.5, 4.0]),
    ]
    cells = [head.ball((0.0, -64.0, -43.0), (12.3, 23.0, 10.5), rotation(x_deg=3.0), 3.5)]
    septum = [[(0.0, -92.0, -40.0), (0.3 * bow, -66.0, -36.0), (0.0, -42.0, -42.0)],
              [(0.5 * bow, -101.0, -60.0), (bow, -66.0, -62.0), (0.4 * bow, -40.0, -58.0)],
              [(bow, -104.0, -74.0), (1.3 * bow, -70.0, -75.0), (0.3 * bow, -38.0, -72.0)],
              [(0.0, -92.0, -86.0), (0.4 * bow, -66.0, -86.0), (0.0, -38.0, -86.0)]]  # fmt: skip
    shells = []
    for i, side in enumerate((-1.0, 1.0)):
        s = swell[i]
        shells += head.rod([(side * 9.0, -82.0, -77.0), (side * 8.5, -66.0, -78.0), (side * 8.5, -48.0, -77.0)],
                           np.array([3.5, 5.5, 4.5]) * s, (side, 0.0, -0.35), 1.7)  # fmt: skip
        shells += head.rod([(side * 6.5, -78.0, -63.0), (side * 6.0, -64.0, -64.0), (side * 6.5, -48.0, -63.0)],
                           np.array([2.8, 4.5, 4.0]) * s, (side, 0.0, -0.2), 1.9)  # fmt: skip
    sides = head.rods([(14.5, -84.0, -84.0), (14.5, -48.0, -84.0)], 2.0)
    return [
        tissue("airway", cavity, -960.0),
        tissue("sinus", cells, -640.0, grain=Grain(330.0, 1.4, RIDGED)),
        tissue("muscle", [*shells, *sides], 90.0, grain=Grain(60.0, 2.0)),
        tissue(
            "skull", head.lattice(septum, [[0.6, 0.5, 0.7], [1.2, 0.7, 0.7], [1.6, 1.0, 0.9], [1.4, 1.2, 0.9]]), 300.0
        ),
    ]
